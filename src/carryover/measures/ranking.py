"""How probable it is that each model is the best: joint draws of accuracies, paired across models."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from carryover._core.errors import InputError
from carryover.measures.curve_resampling import draw_resampling, resample_errors
from carryover.measures.learning_curve import LearningCurve

TIE = 1e-9


@dataclass(frozen=True)
class Ranking:
    """``order``: indices of the models, most probably best first; ``probability_best`` (m,) sums to 1."""

    order: tuple[int, ...]
    probability_best: Float[np.ndarray, " m"]


def probability_best(
    curves: Sequence[LearningCurve], *, generator: np.random.Generator, n_draws: int = 2000
) -> Ranking:
    """The probability that each model has the highest true accuracy with all training rows.

    The curves must be paired: the same test examples, and partitions from a generator in the same state.
    Each draw weights the test examples (or groups) anew and moves the training rows along the half-contrasts,
    both in common for all models, so that what the models share cancels.  The models' deviations from
    their mean are then shrunk towards it by an empirical-Bayes factor (:func:`shrink_towards_mean`): the best
    of many equal models leads by luck.  Equal draws share their vote.
    Raises InputError for no curves and for curves that are not paired.
    """
    if not curves:
        raise InputError("curves must hold at least one learning curve, got none")
    shapes = {curve.half_losses.shape[1:] for curve in curves}
    if len(shapes) > 1:
        raise InputError(
            f"curves must be paired (same partitions and test examples), got shapes {sorted(shapes)}"
        )
    resampling = draw_resampling(curves[0], n_draws=n_draws, generator=generator)
    draws = np.stack([resample_errors(curve, resampling)[:, -1] for curve in curves], axis=1)
    values = np.array([curve.full_losses.mean() for curve in curves])
    shrunk = shrink_towards_mean(values, draws, generator=generator)
    is_best = shrunk <= shrunk.min(axis=1, keepdims=True) + TIE
    probability = (is_best / is_best.sum(axis=1, keepdims=True)).mean(axis=0)
    order = sorted(range(len(curves)), key=lambda model: (-probability[model], values[model], model))
    return Ranking(order=tuple(order), probability_best=probability / probability.sum())


def shrink_towards_mean(
    values: Float[np.ndarray, " m"], draws: Float[np.ndarray, "b m"], *, generator: np.random.Generator
) -> Float[np.ndarray, "b m"]:
    """Posterior draws of the models' errors around their common mean.

    With deviations delta_hat = delta + noise, noise ~ N(0, S) (S: covariance of the centred draws) and the
    prior delta ~ N(0, tau^2 C), C the centring matrix, the posterior is N(A delta_hat, A S) with
    A = tau^2 C (tau^2 C + S)^+; tau^2 = max(0, (|delta_hat|^2 - tr S)/(m - 1)), the moment estimate, but at
    least a quarter of tr S / (m - 1), so that no difference is ruled out.
    """
    m = values.size
    if m < 2:
        return draws
    centred = draws - draws.mean(axis=1, keepdims=True)
    noise = centred - centred.mean(axis=0)
    covariance = noise.T @ noise / len(noise)
    deviation = values - values.mean()
    own = float(np.trace(covariance)) / (m - 1)
    tau_squared = max(float(deviation @ deviation) / (m - 1) - own, own / 4)
    if tau_squared == 0:
        return np.zeros_like(draws)
    prior = tau_squared * (np.eye(m) - 1 / m)
    shrinkage = prior @ np.linalg.pinv(prior + covariance, rcond=1e-10, hermitian=True)
    posterior = _root(prior - shrinkage @ prior)
    return deviation @ shrinkage.T + generator.standard_normal(draws.shape) @ posterior


def _root(matrix: Float[np.ndarray, "m m"]) -> Float[np.ndarray, "m m"]:
    """The symmetric square root of a positive semi-definite matrix; what rounding left of a zero is cut."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    values = np.where(values > 1e-9 * max(values[-1], 0.0), values, 0.0)
    return (vectors * np.sqrt(values)) @ vectors.T
