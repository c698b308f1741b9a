"""Differences of mean losses with intervals: between independent samples, and to the best of several on one sample."""

import math
from typing import Any

import numpy as np
from jaxtyping import Float

from carryover._core.errors import InputError
from carryover._core.results import Estimate
from carryover.measures.probe import accuracy_estimate, mean_loss_estimate


def independent_difference(first: Estimate, second: Estimate) -> Estimate:
    """``first - second`` for estimates from independent samples; what is missing in either is missing in it.

    Standard errors add in quadrature; so do the arms of the intervals (Zou and Donner, Statistics in Medicine 2008),
    which keeps their skewness:  d - sqrt((a - a_low)^2 + (b_high - b)^2)  to  d + sqrt((a_high - a)^2 + (b - b_low)^2).

    >>> a, b = Estimate(5.0, 3.0, (2.0, 9.0)), Estimate(1.0, 4.0, (-2.0, 5.0))
    >>> found = independent_difference(a, b)
    >>> found.value, found.std_error, found.interval
    (4.0, 5.0, (-1.0, 9.0))
    """
    for one in (first, second):
        if not one.ok:
            return Estimate.missing(one.status, one.reason)
    if first.confidence != second.confidence:
        raise InputError(
            f"both intervals must have one confidence, got {first.confidence:g} and {second.confidence:g}"
        )
    (a_low, a_high), (b_low, b_high) = first.interval, second.interval
    value = first.value - second.value
    below = math.hypot(first.value - a_low, b_high - second.value)
    above = math.hypot(a_high - first.value, second.value - b_low)
    counts = [one.n_samples for one in (first, second) if one.n_samples is not None]
    return Estimate(
        value,
        math.hypot(first.std_error, second.std_error),
        (value - below, value + above),
        n_samples=sum(counts) if counts else None,
        confidence=first.confidence,
    )


def paired_accuracy_difference(first: Any, second: Any, *, confidence: float = 0.95) -> Estimate:
    """How much more accurate the first of two predictors is, from 0/1 outcomes (n,) on the same ``n`` examples.

    The difference of the shares of examples that one alone gets right, p - q; its interval adds the arms of their
    Clopper-Pearson intervals in quadrature (Zou and Donner, Statistics in Medicine 2008).  Two predictors that never
    differ on n examples still have an interval: they may differ on others.

    >>> found = paired_accuracy_difference([1, 1, 1, 0], [1, 0, 0, 0])
    >>> found.value, found.interval[0] < 0.0 < found.interval[1]
    (0.5, True)
    """
    hits = np.stack([np.asarray(one, dtype=bool) for one in (first, second)])
    if hits.ndim != 2 or hits.shape[1] < 1:
        raise InputError(f"outcomes must be two lists of 0 and 1 of one length, got shape {hits.shape}")
    alone = accuracy_estimate(hits[0] & ~hits[1], confidence=confidence)
    other = accuracy_estimate(hits[1] & ~hits[0], confidence=confidence)
    found = independent_difference(alone, other)
    n = hits.shape[1]
    variance = (alone.value + other.value - found.value**2) / n
    return Estimate(found.value, math.sqrt(variance), found.interval, n_samples=n, confidence=confidence)


def excess_over_best(losses: Float[np.ndarray, "k n"], *, confidence: float = 0.95) -> list[Estimate]:
    """How far each of ``k`` models' mean loss lies above the least of them, from losses on the same ``n`` examples.

    The excess of model i is the largest of its differences to the others, at least 0.  Each difference has its paired
    interval at confidence 1 - (1 - confidence) / (k - 1), and the interval of the excess is the largest of their lower
    ends to the largest of their upper ends, not below 0: which model is truly best need not be known.  The best on the
    sample has value 0 and an interval that says how far behind it may yet be; its standard error is None.
    Raises InputError for fewer than two models or examples.

    >>> [one.value for one in excess_over_best(np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 3.0]]))]
    [0.0, 1.0]
    """
    losses = np.asarray(losses, dtype=np.float64)
    if losses.ndim != 2 or min(losses.shape) < 2:
        raise InputError(f"losses must be (models, examples), two or more of each, got shape {losses.shape}")
    shared = 1.0 - (1.0 - confidence) / (len(losses) - 1)
    return [_excess(losses, own, shared, confidence) for own in range(len(losses))]


def _excess(losses: np.ndarray, own: int, shared: float, confidence: float) -> Estimate:
    others = np.delete(losses, own, axis=0)
    pairs = [mean_loss_estimate(losses[own] - other, confidence=shared) for other in others]
    largest = max(pairs, key=lambda pair: pair.value)
    return Estimate(
        max(0.0, largest.value),
        largest.std_error if largest.value > 0.0 else None,
        tuple(max(0.0, max(pair.interval[end] for pair in pairs)) for end in (0, 1)),
        n_samples=losses.shape[1],
        confidence=confidence,
    )
