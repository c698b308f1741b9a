"""Variance of a learning curve's accuracies: the test examples are few, and so are the rows the parts are cut from."""

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import norm

from carryover._core.results import Estimate


def pool_variance(halves: Float[np.ndarray, "p 2 t"]) -> tuple[float, float]:
    """Variance of a mean loss that is due to the pool of training rows, and its share of the raw contrast.

    The losses a, b of two disjoint halves are independent given the test examples, so that
    Var((a - b)/2) = Var((a + b)/2) = pool + (variance of (a + b)/2 between partitions of one pool):
    pool = E[((a - b)/2)^2] - Var_partitions((a + b)/2), for a statistic of any order in the rows.  Both terms
    lose what is specific to single test examples, which the test examples' own variance holds already (the
    between-rows component of a two-way analysis of variance).  At least a quarter of the raw value is kept.
    """
    contrasts, means = (halves[:, 0] - halves[:, 1]) / 2, halves.mean(axis=1)
    raw = float(np.mean(contrasts.mean(axis=1) ** 2))
    between = raw - float(np.mean(contrasts.var(axis=1))) / halves.shape[2]
    within = 0.0
    if len(halves) > 1:
        deviations = means - means.mean(axis=0)
        correction = len(halves) / (len(halves) - 1)
        within = float(
            np.mean(deviations.mean(axis=1) ** 2) - np.mean(deviations.var(axis=1)) / halves.shape[2]
        )
        within *= correction
    pool = min(max(between - max(within, 0.0), raw / 4), raw)
    return pool, pool / raw if raw > 0 else 1.0


def variance_of_mean(
    values: Float[np.ndarray, " t"], *, groups: Int[np.ndarray, " t"] | None = None
) -> float:
    """Estimated variance of the mean of ``values`` over test examples drawn one by one, or group by group."""
    residuals = values - values.mean()
    if groups is not None:
        residuals = np.bincount(np.unique(groups, return_inverse=True)[1], weights=residuals)
    return float((residuals**2).sum() / len(values) ** 2 * len(residuals) / max(len(residuals) - 1, 1))


def accuracy_estimates(
    half_losses: Float[np.ndarray, "h p 2 t"],
    full_losses: Float[np.ndarray, " t"],
    *,
    groups: Int[np.ndarray, " t"] | None,
    task: str,
    confidence: float,
) -> tuple[Estimate, ...]:
    """An accuracy with its interval for each size."""
    pools = [pool_variance(halves)[0] for halves in half_losses]
    pair_means = half_losses.mean(axis=(2, 3))
    n_partitions = pair_means.shape[1]
    resampling = pair_means.var(axis=1, ddof=1) / n_partitions if n_partitions > 1 else np.zeros(len(pools))
    mean_losses = [*half_losses.mean(axis=(1, 2)), full_losses]
    variances = [
        variance_of_mean(mean_loss, groups=groups) + pool + float(extra)
        for mean_loss, pool, extra in zip(mean_losses, [*pools, pools[-1]], [*resampling, 0.0], strict=True)
    ]
    return tuple(
        accuracy_estimate(mean_loss, variance, task=task, confidence=confidence)
        for mean_loss, variance in zip(mean_losses, variances, strict=True)
    )


def accuracy_estimate(
    mean_loss: Float[np.ndarray, " t"], variance: float, *, task: str, confidence: float
) -> Estimate:
    """1 - mean loss with a normal interval, or Wilson's with error (1 - error) / variance examples."""
    error, quantile = float(mean_loss.mean()), float(norm.ppf((1 + confidence) / 2))
    if task == "regression":
        margin = quantile * variance**0.5
        interval = (1 - error - margin, 1 - error + margin)
    else:
        binomial = error * (1 - error)
        shift = quantile**2 * (variance / binomial if binomial > 0 and variance > 0 else 1 / len(mean_loss))
        centre = (error + shift / 2) / (1 + shift)
        margin = (binomial * shift + shift**2 / 4) ** 0.5 / (1 + shift)
        interval = (1 - centre - margin, 1 - centre + margin)
    return Estimate(
        value=1 - error,
        std_error=variance**0.5,
        interval=(float(interval[0]), float(interval[1])),
        n_samples=len(mean_loss),
        confidence=confidence,
    )
