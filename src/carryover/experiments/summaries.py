"""Runs of several seeds as one number with its interval, and rank correlations within each of them."""

import math

import numpy as np
from scipy.stats import rankdata
from scipy.stats import t as student_t

from carryover._core.results import Estimate

CORRELATION = (-1.0, 1.0)
"""What a mean of correlations can be."""


def mean_over_runs(
    values: np.ndarray, *, confidence: float = 0.95, limits: tuple[float, float] = (-math.inf, math.inf)
) -> Estimate:
    """The mean of ``values`` (runs,) with Student's interval, cut at the ``limits`` of what the mean can be.

    Failed where a value is not finite or there are under two.
    """
    values = np.asarray(values, dtype=float)
    n = len(values)
    if n < 2:
        return Estimate.missing("failed", f"an interval needs at least 2 runs, got {n}")
    mean = float(values.mean())
    if not math.isfinite(mean):
        return Estimate.missing("failed", "a run failed")
    std_error = float(values.std(ddof=1)) / math.sqrt(n)
    half = float(student_t.ppf(0.5 + confidence / 2.0, n - 1)) * std_error
    interval = (max(mean - half, limits[0]), min(mean + half, limits[1]))
    return Estimate(mean, std_error, interval, n, confidence)


def joint_confidence(count: int) -> float:
    """Of each of ``count`` intervals that are to hold jointly at 95 % (Bonferroni)."""
    return 1.0 - 0.05 / count


def rank_correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spearman's correlation over the conditions, one for each run, from (runs, conditions); ties at mean ranks.

    NaN for a run in which either is constant or missing somewhere.

    >>> rank_correlations(np.array([[1.0, 2.0, 3.0]]), np.array([[5.0, 6.0, 9.0]]))
    array([1.])
    """
    ranks = [rankdata(values, axis=1, nan_policy="propagate") for values in (first, second)]
    ranks = [values - values.mean(axis=1, keepdims=True) for values in ranks]
    lengths = np.sqrt((ranks[0] ** 2).sum(axis=1) * (ranks[1] ** 2).sum(axis=1))
    known = lengths > 0.0
    products = (ranks[0] * ranks[1]).sum(axis=1)
    return np.where(known, products / np.where(known, lengths, 1.0), np.nan)
