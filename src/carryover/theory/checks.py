"""Argument checks: they name the argument, the first bad value and the range."""

import math
from typing import Any

import numpy as np

from carryover._core.errors import InputError


def check_finite(name: str, value: Any) -> np.ndarray:
    """``value`` as float64; InputError where it is not a finite number.

    >>> check_finite("gamma", 2)
    array(2.)
    """
    if type(value) is float and math.isfinite(value):
        return np.asarray(value)
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
    if type(value) is float and low < value < high:  # a sweep checks the numbers of thousands of cells
        return np.asarray(value)
    array = check_finite(name, value)
    above = array > low if open_low else array >= low
    below = array < high if open_high or np.isinf(high) else array <= high
    if not (above & below).all():
        bad = float(array[~(above & below)].flat[0])
        left = "(" if open_low else "["
        right = ")" if open_high or np.isinf(high) else "]"
        raise InputError(f"{name} must lie in {left}{low:g}, {high:g}{right}, got {bad:.6g}")
    return array


def check_number(
    name: str, value: Any, low: float, high: float, *, open_low: bool = False, open_high: bool = False
) -> float:
    """``value`` as one float; InputError for an array, or outside the range."""
    array = check_between(name, value, low, high, open_low=open_low, open_high=open_high)
    if array.ndim:
        raise InputError(f"{name} must be a single number, got an array of shape {array.shape}")
    return float(array)


def check_samples(features: Any, targets: Any) -> tuple[np.ndarray, np.ndarray]:
    """X (n, d) and y (n,) as float64; InputError where they are not finite or do not fit."""
    matrix, values = check_finite("X", features), check_finite("y", targets)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise InputError(f"X must be a matrix (n, d) with n, d >= 1, got shape {matrix.shape}")
    if values.shape != (len(matrix),):
        raise InputError(
            f"y must have shape ({len(matrix)},), one value for each row of X, got {values.shape}"
        )
    return matrix, values
