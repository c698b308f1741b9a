"""Argument checks shared by the measures: they name the argument, the value and the permitted range."""

from typing import Any

import numpy as np

from carryover._core.errors import InputError


def check_range(
    name: str, value: float, low: float, high: float, *, open_low: bool = False, open_high: bool = False
) -> float:
    """Return ``value`` if it lies between ``low`` and ``high``; raise InputError otherwise.

    >>> check_range("confidence", 0.95, 0, 1, open_low=True, open_high=True)
    0.95
    """
    above = value > low if open_low else value >= low
    below = value < high if open_high else value <= high
    if not (above and below):
        left, right = "(" if open_low else "[", ")" if open_high else "]"
        raise InputError(f"{name} must lie in {left}{low}, {high}{right}, got {value}")
    return value


def check_features(features: Any, name: str = "features") -> np.ndarray:
    """A finite float64 matrix (n, d) with n, d >= 1; says how many values are not finite, and in which row first."""
    array = np.asarray(features)
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(
            f"{name} must be a matrix (examples, features) with at least one of each, got shape {array.shape}"
        )
    if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise InputError(f"{name} must be real numbers, got dtype {array.dtype}")
    array = np.asarray(array, dtype=np.float64)
    finite = np.isfinite(array)
    if not finite.all():
        row = int(np.flatnonzero(~finite.all(axis=1))[0])
        raise InputError(
            f"{name} has {int((~finite).sum())} values that are NaN or infinite, the first in row {row}: "
            "remove those examples or extract the features again"
        )
    return array


def check_labels(labels: Any, n: int | None = None, name: str = "labels") -> np.ndarray:
    """Integer class codes (n,), all in 0..K-1; every class present is the caller's business."""
    array = np.asarray(labels)
    if array.ndim != 1 or (n is not None and len(array) != n):
        wanted = "a vector" if n is None else f"a vector of length {n}"
        raise InputError(f"{name} must be {wanted}, got shape {array.shape}")
    if not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"{name} must be integer class codes 0..K-1, got dtype {array.dtype}")
    if len(array) and array.min() < 0:
        raise InputError(f"{name} must be >= 0, got {int(array.min())}")
    return array.astype(np.int64, copy=False)
