"""Checks of what can fail, as plain data: a status with its reason, and estimates."""

from collections.abc import Mapping
from typing import Any

from carryover._core.conditions import (
    Check,
    between,
    choice,
    count,
    every,
    fields,
    interval,
    nullable,
    number,
    text,
)
from carryover._core.errors import InputError

_status = choice("ok", "failed", "abstained", "not_applicable")
_reasoned = {"status": _status, "reason": nullable(text)}


def _has_reason(value: Any, path: str) -> None:
    if value["status"] != "ok" and not value["reason"]:
        raise InputError(f"record{path}.reason must say why the status is {value['status']!r}, got null")


def value_when_ok(value: Any, path: str) -> None:
    """An object whose value is a number exactly when its status is ok."""
    if (value["status"] == "ok") != (value["value"] is not None):
        raise InputError(
            f"record{path}.value must be a number exactly when the status is 'ok', "
            f"got {value['value']!r} with status {value['status']!r}"
        )


def when_ok(
    required: dict[str, Check],
    otherwise: dict[str, Check] | None = None,
    *,
    optional: dict[str, Check] | None = None,
) -> Check:
    """An object with status and reason; ``required`` holds when it is ok, ``otherwise`` always.

    ``optional`` holds for those of its keys that are there.
    """
    always = {**_reasoned, **(otherwise or {})}
    computed, not_computed = fields({**always, **required}, optional), fields(always, optional)

    def check(value: Any, path: str) -> None:
        is_ok = isinstance(value, Mapping) and value.get("status") == "ok"
        (computed if is_ok else not_computed)(value, path)
        _has_reason(value, path)

    return check


_value = {"value": nullable(number)}
_spread = {
    "std_error": nullable(between(0, float("inf"))),
    "interval": nullable(interval),
    "n_samples": nullable(count),
    "confidence": nullable(between(0, 1)),
}
estimate = every(when_ok({}, {**_value, **_spread}), value_when_ok)
"""An estimate with all its keys."""
short_estimate = every(when_ok({}, _value, optional=_spread), value_when_ok)
"""An estimate that may leave out its standard error, interval, number of samples and confidence."""
