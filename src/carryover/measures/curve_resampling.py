"""Joint draws of a learning curve: test examples and training rows drawn anew, in common for all sizes and models."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from carryover._core.errors import InputError
from carryover.measures.curve_intervals import pool_variance
from carryover.measures.learning_curve import LearningCurve


@dataclass(frozen=True)
class Resampling:
    """What is drawn, for b = 1..B: used for every size and, where curves are paired, for every model.

    ``test_weights`` (b, t) >= 0: the Bayesian bootstrap (Rubin 1981), one exponential weight per test example
    or group.  ``partition_weights`` (b, p), each row summing to 1: partitions drawn with replacement.
    ``pool_directions`` (b, p): standard normal / sqrt(p), the signs and sizes of the half-contrasts.
    ``exponent_positions`` (b,) are uniform on [0, 1]: where, between the fitted exponent and 1, the law goes on
    beyond the labels at hand (:meth:`~carryover.measures.error_law.ErrorLaw.excess_beyond`).
    """

    test_weights: Float[np.ndarray, "b t"]
    partition_weights: Float[np.ndarray, "b p"]
    pool_directions: Float[np.ndarray, "b p"]
    exponent_positions: Float[np.ndarray, " b"]


def draw_resampling(curve: LearningCurve, *, n_draws: int, generator: np.random.Generator) -> Resampling:
    """Draw weights and directions that fit ``curve`` and every curve paired with it; InputError for n_draws < 1."""
    if n_draws < 1:
        raise InputError(f"n_draws must be >= 1, got {n_draws}")
    n_test, n_partitions = len(curve.full_losses), curve.half_losses.shape[1]
    units = np.arange(n_test)
    if curve.test_groups is not None:
        units = np.unique(curve.test_groups, return_inverse=True)[1]
    unit_weights = generator.standard_exponential((n_draws, int(units.max()) + 1))
    chosen = generator.multinomial(n_partitions, np.full(n_partitions, 1 / n_partitions), size=n_draws)
    return Resampling(
        test_weights=unit_weights[:, units],
        partition_weights=chosen / n_partitions,
        pool_directions=generator.standard_normal((n_draws, n_partitions)) / np.sqrt(n_partitions),
        exponent_positions=generator.random(n_draws),
    )


def resample_errors(
    curve: LearningCurve, resampling: Resampling, *, example_weights: Float[np.ndarray, " t"] | None = None
) -> Float[np.ndarray, "b s"]:
    """Mean losses at every size of the curve, for every draw; ``example_weights`` (t) >= 0 select test examples.

    At the sizes below the full one: the chosen partitions' mean, plus the half-contrasts in the drawn
    directions, scaled to the variance of the pool (:func:`~carryover.measures.curve_intervals.pool_variance`).
    The full size moves with the contrasts of the half size: the delete-half jackknife.
    """
    weights = (
        resampling.test_weights if example_weights is None else resampling.test_weights * example_weights
    )
    weights = weights / weights.sum(axis=1, keepdims=True)
    errors = np.empty((len(weights), len(curve.sizes)))
    pool_shift = np.zeros(len(weights))
    for level, halves in enumerate(curve.half_losses):
        scale = pool_variance(halves)[1] ** 0.5
        contrasts, means = weights @ ((halves[:, 0] - halves[:, 1]) / 2).T, weights @ halves.mean(axis=1).T
        pool_shift = scale * (contrasts * resampling.pool_directions).sum(axis=1)
        errors[:, level] = (means * resampling.partition_weights).sum(axis=1) + pool_shift
    errors[:, -1] = weights @ curve.full_losses + pool_shift
    return errors


def mean_errors(
    curve: LearningCurve, *, example_weights: Float[np.ndarray, " t"] | None = None
) -> Float[np.ndarray, " s"]:
    """Mean losses at every size over the (weighted) test examples: the value that the draws scatter around."""
    losses = np.vstack([curve.half_losses.mean(axis=(1, 2)), curve.full_losses])
    weights = np.ones(losses.shape[1]) if example_weights is None else example_weights
    return losses @ (weights / weights.sum())
