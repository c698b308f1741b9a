"""Argument checks for numbers that may be arrays: they name the argument, the first bad value and the range."""

from typing import Any

import numpy as np

from carryover._core.errors import InputError


def check_finite(name: str, value: Any) -> np.ndarray:
    """``value`` as float64; InputError where it is not a finite number.

    >>> check_finite("gamma", 2)
    array(2.)
    """
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be a number, got {value!r}") from None
    if not np.isfinite(array).all():
        bad = float(array[~np.isfinite(array)].flat[0])
        raise InputError(f"{name} must be finite, got {bad}")
    return array


def check_between(
    name: str, value: Any, low: float, high: float, *, open_low: bool = False, open_high: bool = False
) -> np.ndarray:
    """``value`` as float64; InputError with the first entry outside the range.

    >>> check_between("overlap", [0.0, 1.0], 0.0, 1.0)
    array([0., 1.])
    """
    array = check_finite(name, value)
    above = array > low if open_low else array >= low
    below = array < high if open_high or np.isinf(high) else array <= high
    if not (above & below).all():
        bad = float(array[~(above & below)].flat[0])
        left = "(" if open_low else "["
        right = ")" if open_high or np.isinf(high) else "]"
        raise InputError(f"{name} must lie in {left}{low:g}, {high:g}{right}, got {bad:.6g}")
    return array
