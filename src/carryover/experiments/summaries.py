"""Runs of several seeds as one number with its interval."""

import math

import numpy as np
from scipy.stats import t as student_t

from carryover._core.results import Estimate


def mean_over_runs(values: np.ndarray, *, confidence: float = 0.95) -> Estimate:
    """The mean of ``values`` (runs,) with Student's interval; failed where one is not finite or there are under two."""
    values = np.asarray(values, dtype=float)
    n = len(values)
    if n < 2:
        return Estimate.missing("failed", f"an interval needs at least 2 runs, got {n}")
    mean = float(values.mean())
    if not math.isfinite(mean):
        return Estimate.missing("failed", "a run failed")
    std_error = float(values.std(ddof=1)) / math.sqrt(n)
    half = float(student_t.ppf(0.5 + confidence / 2.0, n - 1)) * std_error
    return Estimate(mean, std_error, (mean - half, mean + half), n, confidence)
