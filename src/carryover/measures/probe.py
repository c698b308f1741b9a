"""What a probe achieves on a test split: accuracy, balanced accuracy, mean losses and R2, each with an interval.

All take per-example outcomes on examples the probe has not seen, so that the only uncertainty is the test split's.
``groups`` (patients, photographed objects) name rows that belong together; the groups are then what was sampled:
sums within a group replace single examples, and Student quantiles with (groups - 1) degrees of freedom the normal ones.
"""

from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.stats import beta, norm, t

from carryover._core.checks import check_labels, check_range
from carryover._core.errors import InputError
from carryover._core.results import Estimate

ONE_UNIT = "an interval needs at least 2 test {unit}, got {number}"


def accuracy_estimate(correct: Any, *, groups: Any = None, confidence: float = 0.95) -> Estimate:
    """The share of correct predictions, with the Clopper-Pearson interval.

    ``correct`` (n,) holds 0/1 or booleans.  The interval covers at least at its confidence whatever the true share is
    (Wilson's falls to 86 % at n = 100 near a share of 1) and is at most about 1.1 times as wide at n = 100.
    With groups it is taken at the effective size n / max(1, design effect), where the design effect is the ratio of
    the cluster-robust variance to the binomial one, times (z / Student quantile)^2 (Korn and Graubard, Survey
    Methodology 1998); where all predictions are right, or all wrong, the effective size starts from the number
    of groups.

    >>> [round(end, 4) for end in accuracy_estimate([1, 1, 1, 0]).interval]
    [0.1941, 0.9937]
    """
    hits = _checked(correct, "correct", binary=True)
    codes = _group_codes(groups, len(hits))
    share, size = float(hits.mean()), float(len(hits))
    if codes is not None:
        if codes.max() == 0:
            return Estimate.missing("failed", ONE_UNIT.format(unit="groups", number=1))
        binomial = share * (1.0 - share) / size
        robust = _sum_variance((hits - share) / size, codes)
        size = float(codes.max() + 1) if binomial == 0.0 else size / max(1.0, robust / binomial)
    error = float(np.sqrt(share * (1.0 - share) / size))
    low, high = _clopper_pearson(share, size * _shrink(codes, confidence), confidence)
    return Estimate(share, error, (float(low), float(high)), n_samples=len(hits), confidence=confidence)


def balanced_accuracy_estimate(
    correct: Any, labels: Any, *, groups: Any = None, confidence: float = 0.95
) -> Estimate:
    """The mean over the classes in ``labels`` of the share of their examples that are predicted correctly.

    The interval combines Clopper-Pearson's of the classes (l_c, u_c) by the square-and-add rule of Zou and Donner
    (Statistics in Medicine 2008): value - sqrt(sum (p_c - l_c)^2) / K and value + sqrt(sum (u_c - p_c)^2) / K.
    With groups both arms are stretched by the root of the ratio (at least 1) of the cluster-robust variance to
    the one for independent examples.

    >>> balanced_accuracy_estimate([1, 1, 1, 0], [0, 0, 0, 1]).value
    0.5
    """
    hits = _checked(correct, "correct", binary=True)
    classes, codes = np.unique(check_labels(labels, len(hits)), return_inverse=True)
    counts = np.bincount(codes).astype(np.float64)
    shares = np.bincount(codes, weights=hits) / counts
    value, k = float(shares.mean()), len(classes)
    members = _group_codes(groups, len(hits))
    if members is not None and members.max() == 0:
        return Estimate.missing("failed", ONE_UNIT.format(unit="groups", number=1))
    low, high = _clopper_pearson(shares, counts * _shrink(members, confidence), confidence)
    variance = float((shares * (1.0 - shares) / counts).sum()) / k**2
    stretch = 1.0
    if members is not None:
        robust = _sum_variance((hits - shares[codes]) / (k * counts[codes]), members)
        stretch = np.sqrt(max(1.0, robust / variance if variance > 0.0 else len(hits) / (members.max() + 1)))
    below = stretch * np.sqrt(((shares - low) ** 2).sum()) / k
    above = stretch * np.sqrt(((high - shares) ** 2).sum()) / k
    interval = (max(0.0, float(value - below)), min(1.0, float(value + above)))
    return Estimate(
        value, float(stretch * np.sqrt(variance)), interval, n_samples=len(hits), confidence=confidence
    )


def mean_loss_estimate(losses: Any, *, groups: Any = None, confidence: float = 0.95) -> Estimate:
    """The mean of per-example losses (log loss in nats, squared error), with an interval that allows for skewness.

    Losses are skewed, and the usual mean +- 2 standard errors then covers too rarely.  The interval inverts
    Hall's monotone cubic transformation of the t statistic (J. Royal Statistical Society B 1992, equation 5),
    with Student quantiles.  Assumes independent examples (or groups) and a finite variance.

    >>> mean_loss_estimate([1.0, 2.0, 3.0]).value
    2.0
    """
    values = _checked(losses, "losses")
    units, mean = _per_unit(values, float(values.mean()), _group_codes(groups, len(values)))
    if len(units) < 2:
        unit = "examples" if groups is None else "groups"
        return Estimate.missing("failed", ONE_UNIT.format(unit=unit, number=len(units)))
    interval = _hall_interval(units, mean, confidence)
    error = float(np.std(units, ddof=1) / np.sqrt(len(units)))
    return Estimate(mean, error, interval, n_samples=len(values), confidence=confidence)


def r2_estimate(targets: Any, predictions: Any, *, groups: Any = None, confidence: float = 0.95) -> Estimate:
    """R2 = 1 - sum (y - prediction)^2 / sum (y - ybar)^2 on the test split.

    The interval is Hall's for log(1 - R2), linearised in its influence function
    (y - prediction)^2 / MSE - (y - ybar)^2 / variance, and mapped back.  Failed where the targets are constant.

    >>> r2_estimate([1.0, 2.0, 3.0], [1.1, 2.0, 2.9]).value
    0.99
    """
    values, predicted = _checked(targets, "targets"), _checked(predictions, "predictions")
    if len(values) != len(predicted):
        raise InputError(
            f"predictions must have one value for each of the {len(values)} targets, got {len(predicted)}"
        )
    squares, spread = (values - predicted) ** 2, (values - values.mean()) ** 2
    codes = _group_codes(groups, len(values))
    if len(values) < 2 or (codes is not None and codes.max() == 0):
        return Estimate.missing(
            "failed", ONE_UNIT.format(unit="examples" if codes is None else "groups", number=1)
        )
    if not spread.any():
        return Estimate.missing("failed", "all test targets are equal: R2 has no meaning")
    ratio = float(squares.sum() / spread.sum())
    if ratio == 0.0:
        return Estimate(1.0, 0.0, (1.0, 1.0), n_samples=len(values), confidence=confidence)
    units, _ = _per_unit(squares / squares.mean() - spread / spread.mean(), 0.0, codes)
    low, high = _hall_interval(units, 0.0, confidence)
    interval = (float(1.0 - ratio * np.exp(high)), float(1.0 - ratio * np.exp(low)))
    error = ratio * float(np.std(units, ddof=1) / np.sqrt(len(units)))
    return Estimate(round(1.0 - ratio, 15), error, interval, n_samples=len(values), confidence=confidence)


def _checked(values: Any, name: str, *, binary: bool = False) -> Float[np.ndarray, " n"]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array):
        raise InputError(f"{name} must be a vector with at least one test example, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise InputError(f"{name} has {int((~np.isfinite(array)).sum())} values that are NaN or infinite")
    if binary and not np.isin(array, (0.0, 1.0)).all():
        raise InputError(f"{name} must hold 0 and 1 only, got {array[~np.isin(array, (0.0, 1.0))][0]}")
    return array


def _group_codes(groups: Any, n: int) -> np.ndarray | None:
    if groups is None:
        return None
    array = np.asarray(groups)
    if array.shape != (n,):
        raise InputError(f"groups must name one group for each of the {n} examples, got shape {array.shape}")
    return np.unique(array, return_inverse=True)[1]


def _shrink(codes: np.ndarray | None, confidence: float) -> float:
    """(z / Student quantile)^2: the factor on the effective size for a variance estimated from few groups."""
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    if codes is None:
        return 1.0
    tail = 0.5 + 0.5 * confidence
    return float((norm.ppf(tail) / t.ppf(tail, codes.max())) ** 2)


def _sum_variance(parts: np.ndarray, codes: np.ndarray) -> float:
    """Cluster-robust variance of sum(parts), whose expectation is 0: G / (G - 1) sum over groups of squares."""
    sums = np.bincount(codes, weights=parts)
    return float(len(sums) / (len(sums) - 1) * (sums @ sums))


def _clopper_pearson(share: Any, size: Any, confidence: float) -> tuple[Any, Any]:
    """Beta quantiles; sizes and counts need not be whole."""
    hits, misses, tail = size * np.asarray(share), size * (1.0 - np.asarray(share)), 0.5 - 0.5 * confidence
    tiny = np.finfo(np.float64).tiny
    low = np.where(hits > 0.0, beta.ppf(tail, np.maximum(hits, tiny), misses + 1.0), 0.0)
    high = np.where(misses > 0.0, beta.ppf(1.0 - tail, hits + 1.0, np.maximum(misses, tiny)), 1.0)
    return low, high


def _per_unit(values: np.ndarray, mean: float, codes: np.ndarray | None) -> tuple[np.ndarray, float]:
    """One value for each independent unit, with the given mean: examples, or linearised sums of groups."""
    if codes is None:
        return values, mean
    sums = np.bincount(codes, weights=values - mean)
    return mean + sums * (len(sums) / len(values)), mean


def _hall_interval(units: np.ndarray, mean: float, confidence: float) -> tuple[float, float]:
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    n, spread = len(units), float(units.std())
    if spread == 0.0:
        return mean, mean
    skewness = float((((units - units.mean()) / spread) ** 3).mean())
    reach = t.ppf(0.5 + 0.5 * confidence, n - 1) / np.sqrt(n - 1)
    if abs(skewness) < 1e-6:
        return mean - spread * reach, mean + spread * reach
    shifted = np.array([reach, -reach]) - skewness / (6.0 * n)
    moved = 3.0 / skewness * (np.cbrt(1.0 + skewness * shifted) - 1.0)
    low, high = mean - spread * moved
    return float(min(low, mean)), float(max(high, mean))
