"""Measures that were added up from shards, as the page of a sweep shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from carryover.experiments.rows import Row
from carryover.reports.numbers import significant
from carryover.reports.wording import SCORE_NAMES

NAMES = {**SCORE_NAMES, "rademacher_cap": "Rademacher complexity, cap"}


@dataclass(frozen=True)
class MeasuresView:
    """Lines of :func:`carryover.experiments.shards.measures.measure_rows`, of every model the same measures."""

    rows: Sequence[Row]

    @cached_property
    def shown(self) -> list[str]:
        """Measures that at least one model has, or failed to have."""
        return list(dict.fromkeys(row["measure"] for row in self.rows if row["status"] != "not_applicable"))

    @property
    def columns(self) -> list[str]:
        return [NAMES[name] for name in self.shown]

    @property
    def models(self) -> list[dict[str, Any]]:
        """A line of the table for each model."""
        by_model: dict[Any, dict[Any, Row]] = {}
        for row in self.rows:
            by_model.setdefault(row["model"], {})[row["measure"]] = row
        return [
            {"name": name, "n": own["logme"]["n"], "n_features": own["logme"]["n_features"],
             "cells": [_cell(own[measure]) for measure in self.shown]}
            for name, own in by_model.items()
        ]  # fmt: skip

    @property
    def left_out(self) -> dict[str, Any]:
        """Measures that no model has, with the first model's reason."""
        reasons: dict[str, Any] = {}
        for row in self.rows:
            if row["measure"] not in self.shown:
                reasons.setdefault(NAMES[row["measure"]], row["reason"])
        return reasons

    def lines(self) -> list[str]:
        """A sentence for each model, for the terminal."""
        return [
            f"{model['name']} ({model['n']:,} rows of {model['n_features']:,} features): "
            + ", ".join(
                f"{name} {cell['said'] if cell['status'] == 'ok' else cell['status'].replace('_', ' ')}"
                for name, cell in zip(self.columns, model["cells"], strict=True)
            )
            for model in self.models
        ]


def _cell(row: Row) -> dict[str, Any]:
    if row["status"] == "ok":
        return {"status": "ok", "said": significant(row["value"], 4)}
    return {"status": row["status"], "reason": row["reason"]}
