"""The measures of a model from the sums of its shards, each with a status: what sums cannot give says so."""

from functools import reduce
from typing import Any

from carryover._core.results import Result
from carryover.experiments.rows import Row
from carryover.experiments.shards.errors import LOG_LIKELIHOOD, loo_sums
from carryover.experiments.shards.merging import ERRORS, ERRORS_COMMAND, MergedModel, merged_sums
from carryover.experiments.shards.sums import ShardSums
from carryover.experiments.store import Store, open_store
from carryover.measures.catalogue import CATALOGUE, why_not
from carryover.measures.hscore import h_score_from_moments
from carryover.measures.logme import logme_from_moments
from carryover.measures.nce import nce_from_counts
from carryover.measures.rademacher import frobenius_cap
from carryover.measures.ridge_loo import LooSums, ridge_loo_from_sums
from carryover.measures.ridge_setup import failure_reason
from carryover.measures.spectrum import spectrum_from_moments

NO_SUMS = "it needs the rows and not their sums: carryover diagnose reads them, with features = {folder!r}"
NO_ROWS = "it needs a second look at the rows, and keep_features = false left none"


def measures_of(store: Store, model: MergedModel) -> dict[str, Result]:
    """Every score of the catalogue and the cap of the Rademacher complexity (head of Frobenius norm 1), of all rows.

    Equal to the same measures of the rows held whole, up to rounding.  ``not_applicable``: what does not follow from
    sums; ``failed``: sums or a second look that are missing, constant features or targets.
    """
    sums = merged_sums(store, model)
    task = "regression" if sums.class_names is None else "classification"
    found = {}
    for name in CATALOGUE:
        reason = why_not(name, task=task, has_source=sums.source is not None)
        found[name] = (
            Result(status="not_applicable", reason=reason) if reason else _score(name, store, model, sums)
        )
    return found | {"rademacher_cap": Result(frobenius_cap(sums.moments))}


def measure_rows(store: Store, model: MergedModel) -> list[Row]:
    """A line for each measure: model, rows, features, classes, measure, value, status, reason."""
    moments = merged_sums(store, model).moments
    said = {
        "model": model.name,
        "n": moments.n_rows,
        "n_features": moments.n_features,
        "n_classes": None if moments.class_counts is None else moments.n_targets,
    }
    return [
        {**said, "measure": name, "value": _number(one), "status": one.status, "reason": one.reason}
        for name, one in measures_of(store, model).items()
    ]


def _score(name: str, store: Store, model: MergedModel, sums: ShardSums) -> Result:
    if name == "logme":
        return logme_from_moments(sums.moments)
    if name == "h_score":
        return h_score_from_moments(sums.moments)
    if name == "nce":
        return nce_from_counts(sums.source.predicted)
    if name in ("ridge_loo", "leep"):
        return _second_look(name, store, model, sums)
    return Result(
        status="not_applicable", reason=NO_SUMS.format(folder=f"{store.folder}/features/{model.name}")
    )


def _second_look(name: str, store: Store, model: MergedModel, sums: ShardSums) -> Result:
    if not model.has_features:
        return Result(status="not_applicable", reason=NO_ROWS)
    spectrum = spectrum_from_moments(sums.moments, with_directions=False)
    if name == "ridge_loo" and (reason := failure_reason(spectrum)):
        return Result(status="failed", reason=reason)
    rows, reason = _error_rows(store, model)
    if reason:
        return Result(status="failed", reason=reason)
    if name == "leep":
        return Result(sum(row[LOG_LIKELIHOOD] for row in rows) / sums.moments.n_rows)
    return ridge_loo_from_sums(spectrum, reduce(LooSums.merge, map(loo_sums, rows)))


def _error_rows(store: Store, model: MergedModel) -> tuple[list[Row], str | None]:
    """The rows of the second look, in the order of the shards, and why they cannot be used."""
    table = open_store(store.folder / ERRORS, command=ERRORS_COMMAND).read().table.to_pylist()
    there = {row["id"]: row for row in table}
    rows: list[Any] = [there.get(cell.id) for cell in model.error_cells(store)]
    missing = [place for place, row in enumerate(rows) if row is None]
    if missing:
        return [], f"the second look at {len(missing)} of {len(rows)} shards is missing: run the sweep again"
    failed = next((row for row in rows if row["status"] != "ok"), None)
    return rows, None if failed is None else f"the second look at the rows failed: {failed['reason']}"


def _number(result: Result) -> float | None:
    return float(result.value) if result.ok else None
