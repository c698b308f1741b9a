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
    if "id" in result or not parameters.keys().isdisjoint(result):
        taken = min(result.keys() & {"id", *parameters})
        raise InputError(f"a result is called {taken!r}, as is a key that varies: rename one of them")
    for name, value in result.items():
        if value.__class__ in _WITHOUT_NAN or (value.__class__ is float and math.isfinite(value)):
            continue
        if not isinstance(value, Scalar):
            raise TypeError(f"{name} must be a scalar, got {type(value).__name__}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name} must be finite or None, got {value}")
    return {"id": ident, **parameters, "status": "ok", "reason": None, **result}


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
