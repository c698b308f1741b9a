"""Small checks that combine into a schema: each is a function of a value and the path where it stands.

A check returns nothing and raises InputError, naming the path of the offending field, what is wanted there and
what was found.  ``fields`` checks a mapping, ``items`` a list, ``nullable`` permits null.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from carryover._core.errors import InputError, did_you_mean

Check = Callable[[Any, str], None]


def _refuse(path: str, wanted: str, found: Any) -> None:
    shown = repr(found)
    shown = shown if len(shown) <= 80 else shown[:77] + "..."
    raise InputError(f"record{path} must be {wanted}, got {shown}")


def text(value: Any, path: str) -> None:
    """A string that is not empty."""
    if not isinstance(value, str) or not value.strip():
        _refuse(path, "text that is not empty", value)


def flag(value: Any, path: str) -> None:
    """True or false."""
    if not isinstance(value, bool):
        _refuse(path, "true or false", value)


def number(value: Any, path: str) -> None:
    """A finite int or float (NumPy's integer scalars are not JSON)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        _refuse(path, "a finite number", value)


def positive(value: Any, path: str) -> None:
    """A finite number > 0."""
    number(value, path)
    if value <= 0:
        _refuse(path, "a number > 0", value)


def count(value: Any, path: str) -> None:
    """An integer >= 0."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        _refuse(path, "an integer >= 0", value)


def between(low: float, high: float) -> Check:
    """A finite number in [low, high]."""

    def check(value: Any, path: str) -> None:
        number(value, path)
        if not low <= value <= high:
            _refuse(path, f"a number in [{low}, {high}]", value)

    return check


def interval(value: Any, path: str) -> None:
    """A pair [low, high] of finite numbers with low <= high."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        _refuse(path, "a pair [low, high]", value)
    number(value[0], f"{path}[0]")
    number(value[1], f"{path}[1]")
    if value[0] > value[1]:
        _refuse(path, "a pair [low, high] with low <= high", value)


def choice(*permitted: str) -> Check:
    """One of the given words."""

    def check(value: Any, path: str) -> None:
        if value not in permitted:
            _refuse(path, f"one of {', '.join(permitted)}", value)

    return check


def nullable(inner: Check) -> Check:
    """Null, or what ``inner`` permits."""
    return lambda value, path: None if value is None else inner(value, path)


def items(inner: Check) -> Check:
    """A list in which every item passes ``inner``."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, list | tuple):
            _refuse(path, "a list", value)
        for index, item in enumerate(value):
            inner(item, f"{path}[{index}]")

    return check


def mapping(inner: Check) -> Check:
    """An object with text keys in which every value passes ``inner``."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            _refuse(path, "an object with text keys", value)
        for key, item in value.items():
            inner(item, f"{path}.{key}")

    return check


def fields(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """An object with the required keys; further keys are permitted and must only be JSON."""
    optional = optional or {}

    def check(value: Any, path: str) -> None:
        if not isinstance(value, Mapping):
            _refuse(path, "an object", value)
        for key, inner in required.items():
            if key not in value:
                raise InputError(f"record{path}.{key} is missing: {did_you_mean(key, value)}")
            inner(value[key], f"{path}.{key}")
        for key, inner in optional.items():
            if key in value:
                inner(value[key], f"{path}.{key}")
        for key in set(value) - set(required) - set(optional):
            plain(value[key], f"{path}.{key}")

    return check


def every(*checks: Check) -> Check:
    """All of the checks, in order."""

    def check(value: Any, path: str) -> None:
        for inner in checks:
            inner(value, path)

    return check


def plain(value: Any, path: str) -> None:
    """Anything that strict JSON can hold: no NaN, no infinity, no arrays, text keys only."""
    if value is None or isinstance(value, bool | str):
        return
    if isinstance(value, Mapping):
        mapping(plain)(value, path)
    elif isinstance(value, Sequence):
        items(plain)(value, path)
    else:
        number(value, path)
