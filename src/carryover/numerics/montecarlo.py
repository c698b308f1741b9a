"""How far a statistic would move with another sample: the delete-half jackknife.

Half-samples are drawn *without* replacement.  The duplicates of a bootstrap are their own nearest
neighbours, leave each other's mark on a leave-one-out prediction and inflate an evidence, so that its
intervals for such statistics miss their target altogether.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int
from scipy.stats import t as student_t

from carryover._core.checks import check_labels, check_range
from carryover._core.errors import InputError
from carryover._core.results import Estimate

MIN_SUBSAMPLES = 5
"""Fewer values than this give no interval: their spread is hardly known."""


def half_subsamples(
    labels: Int[np.ndarray, " n"] | None,
    *,
    groups: np.ndarray | None = None,
    n_examples: int | None = None,
    n_draws: int = 50,
    fraction: float = 0.5,
    generator: np.random.Generator,
) -> list[Int[np.ndarray, " h"]]:
    """Rows of ``n_draws`` independent half-samples without replacement, halved within every class.

    A class of odd size is rounded down or up at random, the classes' roundings balanced against each
    other: a class's expected size is half of it and the total moves by at most one.  A class keeps at
    least one example (so a class with a single example is in every half-sample), and two where it has
    four.  With ``groups`` (n,) whole groups are drawn, half of those whose most frequent class is the
    same; a class left out is brought back by one of its groups.  ``labels`` None means one stratum
    (regression) of ``n_examples`` rows, or as many as ``groups`` has.  Another ``fraction`` than 1/2
    keeps that share, in the same way.  Rows are sorted.

    Raises InputError if nothing says how many rows there are, or lengths differ, or n < 2.

    >>> halves = half_subsamples(np.repeat([0, 1], 4), n_draws=3, generator=np.random.default_rng(0))
    >>> [len(rows) for rows in halves]
    [4, 4, 4]
    """
    check_range("n_draws", n_draws, 1, math.inf)
    check_range("fraction", fraction, 0, 1, open_low=True, open_high=True)
    strata = _strata(labels, groups, n_examples)
    if len(strata) < 2:
        raise InputError(f"a half-sample needs at least 2 examples, got {len(strata)}")
    if groups is None:
        return [_draw(strata, fraction, generator) for _ in range(n_draws)]
    members = np.asarray(groups)
    if members.shape != strata.shape:
        raise InputError(f"groups must be a vector of length {len(strata)}, got shape {members.shape}")
    names, group_of_row = np.unique(members, return_inverse=True)
    if len(names) < 2:
        raise InputError("groups must name at least 2 groups: halves of a single group cannot be drawn")
    table = np.zeros((len(names), strata.max() + 1), dtype=np.int64)
    np.add.at(table, (group_of_row, strata), 1)
    return [np.flatnonzero(_draw_groups(table, fraction, generator)[group_of_row]) for _ in range(n_draws)]


def jackknife_estimate(
    value: float | int,
    subsample_values: Sequence[float],
    *,
    n: int | float,
    subsample_size: int | float,
    confidence: float = 0.95,
) -> Estimate:
    """The interval of a statistic from its values on B subsamples of size h drawn without replacement from n.

        std_error^2 = h / (n - h) * (1 / (B - 1)) sum_b (theta_b - mean theta)^2,
        interval    = value -+ t_{B-1} std_error.

    For a statistic that is a mean of one term for each example, the values on subsamples have, given the
    sample, variance (1/h)(1 - h/n) S^2, so the factor h/(n-h) makes the estimate of Var(theta_n) = S^2/n
    unbiased; what is not linear in the examples makes it larger on average (Efron and Stein 1981).  The
    subsamples' mean is not used as a centre: it has the bias of a smaller sample.  The estimand is the
    mean of the statistic over samples of size n.  Reference: Shao and Wu, *A general theory for jackknife
    variance estimation*, Ann. Statist. 17 (1989), delete-d jackknife.

    ``n`` and ``subsample_size`` count examples, or groups where groups were drawn.  With fewer than 5
    values, or no spread at all, the estimate carries the value, no interval, and the reason.

    >>> jackknife_estimate(1.0, [0.9, 1.1, 1.0, 1.2, 0.8], n=10, subsample_size=5).std_error
    0.158113883...
    """
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    check_range("subsample_size", subsample_size, 0, n, open_low=True, open_high=True)
    values = np.asarray(subsample_values, dtype=np.float64)
    n_values = len(values)
    if n_values < MIN_SUBSAMPLES:
        reason = f"no interval: only {n_values} subsamples gave a value, {MIN_SUBSAMPLES} are needed"
        return Estimate(float(value), n_samples=n_values, confidence=confidence, reason=reason)
    deviation = float(values.std(ddof=1))
    if deviation <= 1e-14 * float(np.abs(values).max()):
        reason = "no interval: every half-sample gave the same value, so nothing is known of its spread"
        return Estimate(float(value), n_samples=n_values, confidence=confidence, reason=reason)
    std_error = math.sqrt(subsample_size / (n - subsample_size)) * deviation
    half_width = float(student_t.ppf(0.5 + confidence / 2, n_values - 1)) * std_error
    return Estimate(
        float(value), std_error, (value - half_width, value + half_width), n_values, confidence=confidence
    )


def _strata(labels: np.ndarray | None, groups: np.ndarray | None, n_examples: int | None) -> np.ndarray:
    """The stratum of each row: its class, or 0 everywhere."""
    if labels is not None:
        return check_labels(labels, n_examples)
    if n_examples is None and groups is None:
        raise InputError("n_examples must be given where there are neither labels nor groups")
    return np.zeros(len(np.asarray(groups)) if n_examples is None else n_examples, dtype=np.int64)


def _draw(strata: np.ndarray, fraction: float, generator: np.random.Generator) -> np.ndarray:
    """Sorted positions of about ``fraction`` of each stratum (never none of one that has any)."""
    order = generator.permutation(len(strata))
    order = order[np.argsort(strata[order], kind="stable")]
    sizes = np.bincount(strata)
    wanted = fraction * sizes
    kept = np.floor(wanted).astype(np.int64)
    # Systematic sampling of who is rounded up: each with probability its fractional part, the sum held.
    shuffled = generator.permutation(len(sizes))
    steps = np.floor(np.cumsum((wanted - kept)[shuffled]) + generator.random())
    kept[shuffled] += np.diff(steps, prepend=0.0).astype(np.int64)
    kept = np.clip(kept, np.minimum(sizes, 1), sizes)
    rank = np.arange(len(strata)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.sort(order[rank < np.repeat(kept, sizes)])


def _draw_groups(table: np.ndarray, fraction: float, generator: np.random.Generator) -> np.ndarray:
    """Which groups are kept; ``table`` counts each group's examples by class."""
    kept = np.zeros(len(table), dtype=bool)
    kept[_draw(np.unique(table.argmax(axis=1), return_inverse=True)[1], fraction, generator)] = True
    for label in np.flatnonzero(table.sum(axis=0)):
        having = np.flatnonzero(table[:, label])
        if not kept[having].any():
            kept[generator.choice(having)] = True
    return kept
