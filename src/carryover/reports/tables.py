"""The record as Parquet tables, one row per thing, statuses and reasons kept."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from carryover.reports.adaptation_tables import ADAPTATION_COLUMNS, adaptation_rows
from carryover.reports.bounds_tables import ALL_BOUNDS_COLUMNS, all_bounds_rows
from carryover.reports.metric import metric_of
from carryover.reports.schema import PRETRAINING_TERMS

Row = dict[str, Any]
_ESTIMATE_COLUMNS = {
    "value": "Float64",
    "std_error": "Float64",
    "low": "Float64",
    "high": "Float64",
    "n_samples": "Int64",
    "confidence": "Float64",
    "status": "string",
    "reason": "string",
}
COLUMNS: dict[str, dict[str, str]] = {
    "models": {
        "model": "string",
        "kind": "string",
        "status": "string",
        "reason": "string",
        "n_features": "Int64",
        "feature": "string",
        "preprocessing": "string",
        "weights_hash": "string",
        "seconds": "Float64",
        "notes": "string",
    },
    "probes": {
        "model": "string",
        "probe": "string",
        "quantity": "string",
        "penalty": "Float64",
        **_ESTIMATE_COLUMNS,
    },
    "scores": {"model": "string", "score": "string", **_ESTIMATE_COLUMNS},
    "terms": {"model": "string", "term": "string", **_ESTIMATE_COLUMNS},
    "learning_curves": {
        "model": "string",
        "n": "Float64",
        "metric": "string",
        "value": "Float64",
        "low": "Float64",
        "high": "Float64",
        "status": "string",
        "reason": "string",
    },
    "bounds": {
        "model": "string",
        "bound": "string",
        "term": "string",
        "value": "Float64",
        "confidence": "Float64",
        "vacuous": "boolean",
        "status": "string",
        "reason": "string",
    },
    "all_bounds": ALL_BOUNDS_COLUMNS,
    "ranking": {"rank": "Int64", "model": "string", "probability_best": "Float64", **_ESTIMATE_COLUMNS},
    "verdicts": {
        "model": "string",
        "limited_by": "string",
        "sentence": "string",
        "cause": "string",
        **_ESTIMATE_COLUMNS,
    },
    "adaptations": {**ADAPTATION_COLUMNS, **_ESTIMATE_COLUMNS},
}


def _spread(estimate: Mapping[str, Any]) -> Row:
    low, high = estimate["interval"] or (None, None)
    kept = {
        key: estimate[key] for key in ("value", "std_error", "n_samples", "confidence", "status", "reason")
    }
    return {**kept, "low": low, "high": high}


def _models(record: Mapping[str, Any]) -> Iterator[Row]:
    for model in record["models"]:
        row = {key: model.get(key) for key in COLUMNS["models"] if key not in ("model", "notes")}
        yield {"model": model["name"], **row, "notes": "\n".join(model.get("notes") or ()) or None}


def _measured(record: Mapping[str, Any], part: str) -> Iterator[tuple[str, Mapping[str, Any] | None, Row]]:
    """Each model with one part of it; a model that failed has None there and a row that says why."""
    for model in record["models"]:
        why = {"status": model["status"], "reason": model["reason"]}
        yield model["name"], model[part] if model["status"] == "ok" else None, why


def _probes(record: Mapping[str, Any]) -> Iterator[Row]:
    for name, probe, why in _measured(record, "probe"):
        if probe is None:
            yield {"model": name, **why}
            continue
        for one in filter(None, (probe, probe.get("logistic"))):
            for quantity in ("accuracy", "balanced_accuracy", "log_loss", "r2", "mse"):
                if quantity in one:
                    kind = one.get("kind", "logistic")
                    row = {"model": name, "probe": kind, "quantity": quantity, "penalty": one.get("penalty")}
                    yield {**row, **_spread(one[quantity])}


def _estimates(record: Mapping[str, Any], part: str, column: str) -> Iterator[Row]:
    for name, values, why in _measured(record, part):
        if values is None:
            yield {"model": name, **why}
        for key, estimate in (values or {}).items():
            yield {"model": name, column: key, **_spread(estimate)}


def _terms(record: Mapping[str, Any]) -> Iterator[Row]:
    """The terms, with those of pretraining one by one as ``pretraining_train`` and so on."""
    for name, terms, why in _measured(record, "terms"):
        if terms is None:
            yield {"model": name, **why}
            continue
        flat = {key: value for key, value in terms.items() if key != "pretraining"}
        if "pretraining" in terms:
            flat |= {f"pretraining_{key}": terms["pretraining"][key] for key in PRETRAINING_TERMS}
        for key, estimate in flat.items():
            yield {"model": name, "term": key, **_spread(estimate)}


def _learning_curves(record: Mapping[str, Any]) -> Iterator[Row]:
    metric = metric_of(record).key
    for name, curve, why in _measured(record, "learning_curve"):
        if curve is None or curve["status"] != "ok":
            yield {
                "model": name,
                "metric": metric,
                "status": (curve or why)["status"],
                "reason": (curve or why)["reason"],
            }
            continue
        for n, value, (low, high) in zip(curve["n"], curve["accuracy"], curve["interval"], strict=True):
            yield {
                "model": name,
                "n": n,
                "metric": metric,
                "value": value,
                "low": low,
                "high": high,
                "status": "ok",
            }


def _bounds(record: Mapping[str, Any]) -> Iterator[Row]:
    """One row per term, and one named ``total`` for the bound itself."""
    for name, bounds, why in _measured(record, "bounds"):
        if bounds is None:
            yield {"model": name, **why}
        for key, bound in (bounds or {}).items():
            row = {"model": name, "bound": key}
            row |= {part: bound[part] for part in ("confidence", "vacuous", "status", "reason")}
            yield {**row, "term": "total", "value": bound["value"]}
            for term, value in bound["terms"].items():
                yield {**row, "term": term, "value": value}


def _ranking(record: Mapping[str, Any]) -> Iterator[Row]:
    for rank, row in enumerate(record["ranking"], start=1):
        named = {"rank": rank, "model": row["name"], "probability_best": row["probability_best"]}
        yield {**named, **_spread(row["accuracy"])}


def _verdicts(record: Mapping[str, Any]) -> Iterator[Row]:
    for verdict in record["verdicts"]:
        said = {key: verdict[key] for key in ("model", "limited_by", "sentence")}
        for cause, estimate in verdict["evidence"].items():
            yield {**said, "cause": cause, **_spread(estimate)}


def _adaptations(record: Mapping[str, Any]) -> Iterator[Row]:
    for named, estimate in adaptation_rows(record):
        yield {**named, **_spread(estimate)}


_ROWS = {
    "models": _models,
    "probes": _probes,
    "scores": lambda record: _estimates(record, "scores", "score"),
    "terms": _terms,
    "learning_curves": _learning_curves,
    "bounds": _bounds,
    "all_bounds": all_bounds_rows,
    "ranking": _ranking,
    "verdicts": _verdicts,
    "adaptations": _adaptations,
}


def write_tables(record: Mapping[str, Any], directory: Path) -> list[Path]:
    """Write the tables named in ``COLUMNS`` as Parquet, and return their paths.

    Tables are long: one row per model and score (or term, number of labels, cause).  What has no value has null
    there and a status with its reason; a model that failed keeps one row in every table about models.
    Columns and types are in ``COLUMNS`` and do not depend on the record.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, columns in COLUMNS.items():
        rows = list(_ROWS[name](record))
        data = {
            column: pd.array([row.get(column) for row in rows], dtype=kind)
            for column, kind in columns.items()
        }
        path = directory / f"{name}.parquet"
        pd.DataFrame(data).to_parquet(path, index=False)
        paths.append(path)
    return paths
