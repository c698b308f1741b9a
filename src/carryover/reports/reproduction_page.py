"""What ``carryover reproduce`` leaves: the table, the figure, the comparisons, and a page that shows them offline."""

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from carryover.experiments.comparisons import VERDICTS, Comparison, Published
from carryover.experiments.entry import Cost
from carryover.experiments.reproduction import Reproduction
from carryover.reports import wording
from carryover.reports.canvas import drawing, to_svg
from carryover.reports.catalogue_figures import CAPTIONS, FIGURES
from carryover.reports.figures import Picture
from carryover.reports.numbers import duration, significant
from carryover.reports.publish import publish_together, write_text
from carryover.reports.templating import environment, picture_markup
from carryover.reports.theory_figures import save_figure

SCHEMA = "carryover.reproduction/1"
REPRODUCTION_FILES = (
    "table.csv", "table.parquet", "figure.png", "figure.svg", "comparisons.json", "report.html"
)  # fmt: skip


def write_reproduction(found: Reproduction, folder: Path) -> Path:
    """Write ``REPRODUCTION_FILES`` into ``folder``, all or none, in place of those of an earlier run; the page's path."""
    figure = FIGURES[found.entry.name](found.table)
    record = reproduction_record(found)
    page = render_reproduction(found, record)
    publish_together(
        Path(folder),
        {
            "table.csv": partial(write_text, found.table.to_csv(index=False)),
            "table.parquet": partial(_write_parquet, found.table),
            "figure.png": partial(save_figure, figure),
            "figure.svg": partial(save_figure, figure),
            "comparisons.json": partial(write_text, json.dumps(record, indent=1, allow_nan=False) + "\n"),
            "report.html": partial(write_text, page),
        },
    )
    return Path(folder) / "report.html"


def reproduction_record(found: Reproduction) -> dict[str, Any]:
    """What was compared, with verdicts and the environment, as plain data."""
    return {
        "schema": SCHEMA,
        "name": found.entry.name,
        "size": found.size,
        "n_cells": found.n_cells,
        "n_computed": found.n_computed,
        "n_failed": found.n_failed,
        "seconds": round(found.seconds, 1),
        "environment": {**found.environment, "threads": "1"},
        "verdicts": counts(found.comparisons),
        "comparisons": [_plain(one) for one in found.comparisons],
    }


def counts(comparisons: tuple[Comparison, ...]) -> dict[str, int]:
    """How many of each verdict, in the order of ``VERDICTS``."""
    of = Counter(one.verdict for one in comparisons)
    return {verdict: of[verdict] for verdict in VERDICTS}


def counted(comparisons: tuple[Comparison, ...]) -> str:
    """The counts as words, without those that are 0."""
    said = [f"{n} {verdict}" for verdict, n in counts(comparisons).items() if n]
    return f"{len(comparisons)} comparisons: {', '.join(said)}."


def cost_said(cost: Cost) -> str:
    """The cost as the list of experiments says it."""
    return f"{duration(cost.seconds)} on one core{'' if cost.measured else ', estimated'}"


def render_reproduction(found: Reproduction, record: Mapping[str, Any]) -> str:
    """The page: every name is escaped, and a content security policy forbids any request."""
    from carryover import __version__

    entry = found.entry
    return (
        environment()
        .get_template("reproduction.html.j2")
        .render(
            record={**record, "carryover_version": __version__},
            entry=entry,
            lead=_lead(found),
            comparisons=record["comparisons"],
            picture=picture_markup(_picture(found)),
            caption=CAPTIONS[entry.name],
            cost=cost_said(entry.sizes[found.size].cost),
            words=wording,
        )
    )


def _lead(found: Reproduction) -> str:
    failed = f" {found.n_failed} of {found.n_cells} cells failed." if found.n_failed else ""
    return f"{found.entry.description} {counted(found.comparisons)}{failed}"


def _picture(found: Reproduction) -> Picture:
    drawn = {}
    with drawing():
        for size in ("wide", "narrow"):
            figure = FIGURES[found.entry.name](found.table)
            drawn[size] = to_svg(
                figure,
                f"figure-{found.entry.name}-{size}",
                title=found.entry.description,
                description="The numbers are in table.csv.",
            )
    return Picture(**drawn)


def _plain(one: Comparison) -> dict[str, Any]:
    plain = dataclasses.asdict(one)
    for name in ("ours", "difference"):
        if plain[name] and plain[name]["interval"]:
            plain[name]["interval"] = list(plain[name]["interval"])
    return {**plain, "published_said": _published(one.published)}


def _published(published: Published) -> str:
    if published.value is None:
        return published.claim
    sure = f" ± {significant(published.uncertainty, 1)}" if published.uncertainty else ""
    return f"{significant(published.value)}{sure}"


def _write_parquet(table: pd.DataFrame, path: Path) -> None:
    table.to_parquet(path, index=False)
