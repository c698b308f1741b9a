"""A row: flat, scalars only; and how estimates and what varies become columns of it."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from carryover._core.errors import InputError
from carryover._core.results import Estimate

Scalar = bool | int | float | str | None
Row = dict[str, Scalar]
Columns = Mapping[str, Sequence[Scalar]]
"""Many rows, by the name of each column its values, all of one length."""
_WITHOUT_NAN = frozenset((bool, int, str, type(None)))
ENDS = ("_low", "_high", "_status", "_reason")
"""What is appended to an estimate's name for the columns beside its value."""
OWN = ("id", "status", "reason")


def estimate_columns(name: str, estimate: Estimate | Mapping[str, Any]) -> Row:
    """``name`` with the value and name_low, name_high, name_status, name_reason; an estimate or its record.

    >>> estimate_columns("accuracy", Estimate(0.5, interval=(0.4, 0.6)))["accuracy_high"]
    0.6
    """
    found = dataclasses.asdict(estimate) if isinstance(estimate, Estimate) else estimate
    low, high = found["interval"] or (None, None)
    return {
        name: found["value"],
        f"{name}_low": low,
        f"{name}_high": high,
        f"{name}_status": found["status"],
        f"{name}_reason": found["reason"],
    }


def failed_row(reason: str) -> Row:
    """The row of a cell that has no result."""
    return {"status": "failed", "reason": reason}


def whole_row(ident: str, parameters: Mapping[str, Scalar], result: Mapping[str, Scalar]) -> Row:
    """A cell's row: its id, what varies, status, reason, results.

    Raises InputError where a result has the name of a parameter, TypeError for a value that is no scalar, and
    ValueError for NaN or infinity: a number that is missing is None, with its reason.
    """
    _check_results(parameters, {name: (value,) for name, value in result.items()})
    return {"id": ident, **parameters, "status": "ok", "reason": None, **result}


def whole_columns(ids: Sequence[str], parameters: Columns, results: Columns) -> Columns:
    """:func:`whole_row` of many cells at once.  Raises as it does, and ValueError where lengths differ."""
    _check_results(parameters, results)
    n = len(ids)
    whole = {"id": ids, **parameters, "status": ("ok",) * n, "reason": (None,) * n, **results}
    for name, values in whole.items():
        if len(values) != n:
            raise ValueError(f"{name} has {len(values)} values for {n} cells")
    return whole


def as_columns(rows: Sequence[Mapping[str, Scalar]]) -> Columns:
    """What rows lack is None."""
    names = dict.fromkeys(name for keys in dict.fromkeys(map(tuple, rows)) for name in keys)
    return {name: [row.get(name) for row in rows] for name in names}


def _check_results(parameters: Mapping[str, Any], results: Columns) -> None:
    if "id" in results or not parameters.keys().isdisjoint(results):
        taken = min(results.keys() & {"id", *parameters})
        raise InputError(f"a result is called {taken!r}, as is a key that varies: rename one of them")
    for name, values in results.items():
        types = set(map(type, values))
        numbers = values if types == {float} else [value for value in values if value.__class__ is float]
        if types - _WITHOUT_NAN <= {float} and all(map(math.isfinite, numbers)):
            continue
        _check_each(name, values)


def _check_each(name: str, values: Sequence[Any]) -> None:
    for value in values:
        if not isinstance(value, Scalar):
            raise TypeError(f"{name} must be a scalar, got {type(value).__name__}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name} must be finite or None, got {value}")


def parameter_columns(assignments: Sequence[Mapping[str, Any]]) -> list[Row]:
    """What varies as columns of one type each: booleans, whole numbers, numbers or text; what mixes them is JSON.

    >>> parameter_columns([{"scale": 1}, {"scale": 0.5}])
    [{'scale': 1.0}, {'scale': 0.5}]
    >>> parameter_columns([{"plan": "lora"}, {"plan": ["a", "b"]}])
    [{'plan': '"lora"'}, {'plan': '["a", "b"]'}]
    """
    keys = dict.fromkeys(key for one in assignments for key in one)
    convert = {key: _converter({type(one.get(key)) for one in assignments}) for key in keys}
    return [{key: convert[key](value) for key, value in one.items()} for one in assignments]


def _converter(types: set[type]) -> Any:
    if types in ({bool}, {int}, {str}):
        return next(iter(types))
    if types <= {int, float}:
        return float
    return json.dumps
