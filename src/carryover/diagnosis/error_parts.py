"""The error at N labels as a sum of three parts, with joint draws: labels, representation, domain."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from carryover._core.errors import InputError
from carryover._core.results import Estimate
from carryover.measures.curve_resampling import Resampling, mean_errors, resample_errors
from carryover.measures.error_law import Extrapolation, extrapolate
from carryover.measures.learning_curve import LearningCurve

CAUSES = ("labels", "representation", "domain")
CONFIDENCE = 0.95


@dataclass(frozen=True)
class ErrorParts:
    """error(N) = labels + representation + domain.

    ``error`` is the error at all labels; ``value`` (3,) and ``draws`` (b, 3) hold the parts in the order of
    ``CAUSES``, None where the law could not be fitted (then ``domain`` and ``domain_draws`` still stand).
    ``excess`` is error - error on near points (status "not_applicable" without a pretraining sample);
    ``domain_found``: its interval excludes 0.  Where it does not, all points count as near and domain is 0.
    """

    error: float
    value: Float[np.ndarray, " 3"] | None
    draws: Float[np.ndarray, "b 3"] | None
    domain: float
    domain_draws: Float[np.ndarray, " b"]
    error_draws: Float[np.ndarray, " b"]
    excess: Estimate
    domain_found: bool
    extrapolation: Extrapolation


def split_error(
    curve: LearningCurve,
    resampling: Resampling,
    *,
    likeness: Float[np.ndarray, " t"] | None = None,
    near_share: float = 1 / 3,
) -> ErrorParts:
    """Split the error of ``curve`` at all labels.

        domain         = error(N) - error_near(N)           if its interval lies above 0, else 0 and near = all
        labels         = error_near(N) - error_near(inf)    by the fitted law, its exponent rising towards 1
        representation = error_near(inf)                    which holds what no model could know (label noise)

    ``likeness`` (t) is the cross-fitted log density ratio of each test example; the ``near_share`` of them
    with the largest are near.  Draws are joint: test examples (or groups) and training rows.
    Raises InputError where ``likeness`` does not have one value for each test example.
    """
    n_test = len(curve.full_losses)
    near = np.ones(n_test)
    error = mean_errors(curve)[-1]
    error_draws = resample_errors(curve, resampling)[:, -1]
    excess, found = Estimate.missing("not_applicable", "no pretraining sample was given"), False
    if likeness is not None:
        if likeness.shape != (n_test,):
            raise InputError(
                f"likeness must have one value for each of {n_test} examples, got {likeness.shape}"
            )
        candidate = near_points(likeness, near_share).astype(np.float64)
        near_draws = resample_errors(curve, resampling, example_weights=candidate)[:, -1]
        near_error = mean_errors(curve, example_weights=candidate)[-1]
        excess = _estimate(error - near_error, error_draws - near_draws, n_samples=n_test)
        found = excess.interval is not None and excess.interval[0] > 0
    domain, domain_draws = 0.0, np.zeros(len(error_draws))
    if found:
        near, domain, domain_draws = candidate, float(error - near_error), error_draws - near_draws
    extrapolation = extrapolate(curve, resampling, example_weights=near)
    value = draws = None
    if extrapolation.law is not None and extrapolation.draws is not None:
        excess_now = extrapolation.law.excess_beyond(np.full(1, 0.5))[0]
        value = _parts(error, domain, excess_now)
        draws = _parts(
            error_draws, domain_draws, extrapolation.draws.excess_beyond(resampling.exponent_positions)
        )
    return ErrorParts(
        error=float(error),
        value=value,
        draws=draws,
        domain=domain,
        domain_draws=domain_draws,
        error_draws=error_draws,
        excess=excess,
        domain_found=found,
        extrapolation=extrapolation,
    )


def near_points(likeness: Float[np.ndarray, " t"], share: float) -> Bool[np.ndarray, " t"]:
    """The ceil(share t) examples with the largest likeness."""
    near = np.zeros(len(likeness), dtype=bool)
    near[np.argsort(-likeness, kind="stable")[: int(np.ceil(share * len(likeness)))]] = True
    return near


def _parts(error: np.ndarray | float, domain: np.ndarray | float, excess: np.ndarray | float) -> np.ndarray:
    near = np.asarray(error) - domain
    labels = np.minimum(excess, np.maximum(near, 0))
    return np.stack([labels, near - labels, np.broadcast_to(domain, near.shape)], axis=-1)


def part_estimates(parts: ErrorParts, n_samples: int) -> dict[str, Estimate]:
    """Each part with a percentile interval of the draws, or why there is none."""
    if parts.value is None or parts.draws is None:
        reason = parts.extrapolation.asymptote.reason or "the law could not be fitted"
        estimates = {cause: Estimate.missing("abstained", reason) for cause in CAUSES}
    else:
        estimates = {
            cause: _estimate(float(value), draws, n_samples=n_samples)
            for cause, value, draws in zip(CAUSES, parts.value, parts.draws.T, strict=True)
        }
    return {**estimates, "domain": parts.excess}


def _estimate(value: float, draws: Float[np.ndarray, " b"], *, n_samples: int) -> Estimate:
    low, high = np.quantile(draws, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(
        value=float(value),
        std_error=float(draws.std()),
        interval=(min(float(low), float(value)), max(float(high), float(value))),
        n_samples=n_samples,
        confidence=CONFIDENCE,
    )
