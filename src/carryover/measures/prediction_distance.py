"""How differently two predictors predict, on a scale where unrelated ones are at 1."""

from typing import Any

import numpy as np
from jaxtyping import Float

from carryover._core.checks import check_features
from carryover._core.errors import InputError
from carryover._core.results import Estimate
from carryover.measures.kernel_change import LEAST_EXAMPLES
from carryover.numerics.montecarlo import jackknife_estimate

NOTHING_PREDICTED = "both predict the same for every example: there is nothing to compare"


def prediction_distance(first: Any, second: Any, *, confidence: float = 0.95) -> Estimate:
    """sum ||p_i - q_i||^2 / (sum ||p_i - pbar||^2 + sum ||q_i - qbar||^2) of predictions (n, K) on the same examples.

    0 for predictors that agree everywhere, 1 for unrelated ones of equal mean (the mean of p q is the product of
    their means), 2 for opposite ones; a difference of means adds to it.  No units.  Numbers for regression; for
    classes their probabilities, since logits that only grew would count as a difference.  The interval is the
    delete-one jackknife's over examples, within [0, ...].  Failed where neither varies.
    Raises InputError for values that are not finite, unequal shapes and fewer than 8 examples.

    >>> p = np.array([[1.0], [-1.0]] * 4)
    >>> prediction_distance(p, p).value, prediction_distance(p, -p).value
    (0.0, 2.0)
    """
    p, q = check_features(first, "first"), check_features(second, "second")
    if p.shape != q.shape:
        raise InputError(f"first and second must have one shape, got {p.shape} and {q.shape}")
    n = len(p)
    if n < LEAST_EXAMPLES:
        raise InputError(f"predictions must be of {LEAST_EXAMPLES} examples or more, got {n}")
    size = max(float(np.abs(p - p[0]).max()), float(np.abs(q - q[0]).max()))
    if size == 0.0:
        return Estimate.missing("failed", NOTHING_PREDICTED)
    p, q = p / size, q / size
    gaps = np.square(p - q).sum(axis=1)
    scatters = [_scatters(one) for one in (p, q)]
    whole = sum(one[0] for one in scatters)
    without = sum(one[1] for one in scatters)
    if not (without > 1e-12 * whole).all():
        return Estimate.missing("failed", "all but one example are predicted alike: no interval can be had")
    total = float(gaps.sum())
    found = jackknife_estimate(
        total / whole, ((total - gaps) / without).tolist(), n=n, subsample_size=n - 1, confidence=confidence
    )
    if found.interval is None:
        return Estimate(found.value, 0.0, (found.value, found.value), n, confidence)
    low, high = found.interval
    return Estimate(found.value, found.std_error, (max(0.0, low), high), n, confidence)


def _scatters(rows: Float[np.ndarray, "n k"]) -> tuple[float, Float[np.ndarray, " n"]]:
    """The scatter about the mean, and that of the other rows without each one: S - n / (n - 1) ||row - mean||^2."""
    n = len(rows)
    squares = np.square(rows - rows.mean(axis=0)).sum(axis=1)
    whole = float(squares.sum())
    return whole, whole - n / (n - 1) * squares
