"""How probable it is that each model is the best: joint draws of accuracies, paired across models."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from carryover._core.errors import InputError
from carryover.measures.curve_resampling import draw_resampling, resample_errors
from carryover.measures.learning_curve import LearningCurve

TIE = 1e-9
SPREADS = np.logspace(-2, 2, 81)  # tau in units of the noise


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
    their mean are then shrunk towards it (:func:`shrink_towards_mean`): the best
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

    Deviations from the mean are observed with normal noise whose covariance is that of the centred draws; along
    its eigenvectors they are d_i with variances s_i > 0.  The true deviations are a priori N(0, tau^2), and
    tau / noise_std (noise_std^2: the mean s_i) is half-Cauchy, so that given tau they are
    N(d_i tau^2/(tau^2 + s_i), s_i tau^2/(tau^2 + s_i)).  tau is drawn from its posterior on a grid: plugging one
    estimate in would call the lead of the luckiest among equals real too often.  Where s_i = 0 (models that
    agree on every example) the deviation is as observed.
    Reference: Gelman, Prior distributions for variance parameters, Bayesian Analysis 1 (2006) 515.
    """
    centred = draws - draws.mean(axis=1, keepdims=True)
    variances, directions = np.linalg.eigh(np.cov(centred, rowvar=False, bias=True).reshape(len(values), -1))
    noisy = variances > 1e-9 * max(variances[-1], 0.0)
    deviation = values - values.mean()
    if not noisy.any():
        return np.broadcast_to(deviation, draws.shape).copy()
    variances, directions = variances[noisy], directions[:, noisy]
    observed = deviation @ directions
    tau_squared = variances.mean() * SPREADS[:, None] ** 2
    marginal = tau_squared + variances
    log_posterior = -0.5 * (np.log(marginal) + observed**2 / marginal).sum(axis=1)
    log_posterior += np.log(SPREADS) - np.log1p(SPREADS**2)  # half-Cauchy on a logarithmic grid
    weights = np.exp(log_posterior - log_posterior.max())
    kept = (tau_squared / marginal)[
        generator.choice(len(SPREADS), size=len(draws), p=weights / weights.sum())
    ]
    noise = generator.standard_normal(kept.shape) * np.sqrt(variances * kept)
    return deviation - observed @ directions.T + (kept * observed + noise) @ directions.T
