"""All bounds as the rows of a table: one for each term and one for the bound itself."""

from collections.abc import Iterator, Mapping
from typing import Any

from carryover.reports.bounds_view import bounds_of_models, terms_of

ALL_BOUNDS_COLUMNS = {
    "model": "string",
    "bound": "string",
    "kind": "string",
    "term": "string",
    "value": "Float64",
    "confidence": "Float64",
    "truth": "Float64",
    "truth_low": "Float64",
    "truth_high": "Float64",
    "ratio": "Float64",
    "vacuous": "boolean",
    "null": "Float64",
    "null_high": "Float64",
    "n_repeats": "Int64",
    "seconds": "Float64",
    "bounded": "string",
    "status": "string",
    "reason": "string",
}
_OF_THE_ENTRY = (
    "kind",
    "confidence",
    "ratio",
    "vacuous",
    "null",
    "null_high",
    "n_repeats",
    "seconds",
    "bounded",
    "status",
    "reason",
)


def all_bounds_rows(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The row ``total`` of each bound, then its terms; what is said of the bound stands in each of its rows.

    A term that is missing has no value, and its own reason.
    """
    for one in bounds_of_models(record):
        for entry in one.entries:
            row = {"model": one.title, "bound": entry["name"]}
            row |= {key: entry.get(key) for key in _OF_THE_ENTRY} | _truth(entry["truth"])
            yield {**row, "term": "total", "value": entry["value"]}
            for term in terms_of(entry):
                missing = {"reason": term.how} if term.value is None else {}
                yield {**row, "term": term.name, "value": term.value, **missing}


def _truth(truth: Mapping[str, Any]) -> dict[str, Any]:
    low, high = truth["interval"] or (None, None)
    return {"truth": truth["value"], "truth_low": low, "truth_high": high}
