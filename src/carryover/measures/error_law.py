"""error(n) = asymptote + amplitude n^-exponent, fitted to a learning curve: more labels, and all there are."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from carryover._core.results import Estimate
from carryover.measures.curve_resampling import Resampling, mean_errors, resample_errors
from carryover.measures.learning_curve import LearningCurve

EXPONENTS = np.linspace(0.25, 2.0, 36)
WINDOW = 4  # sizes fitted, the largest ones: smaller training sets have not yet entered the law


@dataclass(frozen=True)
class ErrorLaw:
    """asymptote + amplitude (n / reference)^-exponent with asymptote, amplitude >= 0: arrays over the draws."""

    asymptote: Float[np.ndarray, " b"]
    amplitude: Float[np.ndarray, " b"]
    exponent: Float[np.ndarray, " b"]
    reference: float

    def error(self, n: float) -> Float[np.ndarray, " b"]:
        """The law's error at n labels."""
        return self.asymptote + self.amplitude * (n / self.reference) ** -self.exponent

    def excess_beyond(self, position: Float[np.ndarray, " b"]) -> Float[np.ndarray, " b"]:
        """error(reference) - error(infinity) if, from ``reference`` on, the exponent is another one.

        The slope at the reference is kept: amplitude * exponent / later, with ``later`` at the ``position`` in
        [0, 1] between the fitted exponent and 1, the rate that a fixed number of parameters ends with.  While
        the rows are about as many as the features, curves fall with exponents well below 1, and the law taken
        at its word promises too much.
        """
        later = self.exponent + position * np.maximum(1 - self.exponent, 0)
        return np.minimum(self.amplitude * self.exponent / later, self.asymptote + self.amplitude)


def fit_error_law(
    sizes: Float[np.ndarray, " s"], errors: Float[np.ndarray, "b s"], *, weights: Float[np.ndarray, " s"]
) -> ErrorLaw:
    """Weighted least squares for every row of ``errors`` at once.

    For each exponent of a grid on [0.25, 2] the other two have a closed-form non-negative solution: the
    unconstrained one where it is feasible, else the better of the two edges; the best exponent is kept.
    ``amplitude`` is the excess error at the largest size (``reference``).
    """
    reference = float(sizes[-1])
    best = np.full((4, len(errors)), np.inf)
    for exponent in EXPONENTS:
        powers = (sizes / reference) ** -exponent
        asymptote, amplitude = _non_negative_line(powers, errors, weights=weights)
        loss = (weights * (errors - asymptote[:, None] - amplitude[:, None] * powers) ** 2).sum(axis=1)
        better = loss < best[0]
        best[:, better] = np.stack([loss, asymptote, amplitude, np.full(len(errors), exponent)])[:, better]
    return ErrorLaw(asymptote=best[1], amplitude=best[2], exponent=best[3], reference=reference)


def _non_negative_line(
    powers: Float[np.ndarray, " s"], errors: Float[np.ndarray, "b s"], *, weights: Float[np.ndarray, " s"]
) -> tuple[Float[np.ndarray, " b"], Float[np.ndarray, " b"]]:
    """Intercept and slope >= 0 of the weighted least-squares lines of ``errors`` on ``powers``."""
    weights = weights / weights.sum()
    mean_power, mean_error = weights @ powers, errors @ weights
    spread = weights @ (powers - mean_power) ** 2
    slope = errors @ (weights * (powers - mean_power)) / spread
    intercept = mean_error - slope * mean_power
    through_zero = np.maximum(errors @ (weights * powers), 0.0) / (weights @ powers**2)
    falling = slope >= 0
    slope = np.where(falling, np.where(intercept >= 0, slope, through_zero), 0.0)
    intercept = np.where(falling, np.maximum(intercept, 0.0), np.maximum(mean_error, 0.0))
    return intercept, slope


@dataclass(frozen=True)
class Extrapolation:
    """Accuracy beyond the labels at hand.

    ``law`` holds one fit, ``draws`` the fits to resampled curves.  ``gain_from_doubling`` is accuracy(2 n) -
    accuracy(n) at n = all training rows, by the law.  ``asymptote`` is the accuracy with all the labels in the world:
    accuracy(n) + :meth:`ErrorLaw.excess_beyond`, the law's exponent rising towards 1, halfway for the value and
    anywhere between for the interval.  On CIFAR-100's coarse labels the law taken at its word promised .54 from 500
    labels and .42 from 2,000; this says .415 and .408.
    """

    law: ErrorLaw | None
    draws: ErrorLaw | None
    asymptote: Estimate
    gain_from_doubling: Estimate


def extrapolate(
    curve: LearningCurve,
    resampling: Resampling,
    *,
    example_weights: Float[np.ndarray, " t"] | None = None,
    confidence: float = 0.95,
) -> Extrapolation:
    """Fit the law to the four largest sizes, with weights proportional to the size, and to every joint draw.

    Intervals are percentiles of the draws.  Abstains (both) with fewer than three sizes or where the error
    surely rises with more labels, and (asymptote) where the interval is all of [accuracy now, 1].
    Intervals take the law as true; their coverage on laws that are only nearly so is in docs/verdict.md.
    """
    window = slice(-WINDOW, None)
    sizes = curve.sizes[window]
    if len(sizes) < 3:
        return _abstained(
            f"the law needs 3 sizes of training set and {len(sizes)} can be cut from these labels"
        )
    draws = resample_errors(curve, resampling, example_weights=example_weights)[:, window]
    if np.mean(draws[:, 0] > draws[:, -1]) < (1 - confidence) / 2:
        return _abstained("the error rises with the number of labels")
    point = mean_errors(curve, example_weights=example_weights)[None, window]
    law, laws = (fit_error_law(sizes, errors, weights=sizes) for errors in (point, draws))
    n, n_test = law.reference, len(curve.full_losses)
    gain = _percentile_estimate(
        float((law.error(n) - law.error(2 * n))[0]),
        laws.error(n) - laws.error(2 * n),
        n_samples=n_test,
        confidence=confidence,
    )
    now = 1 - float(point[0, -1])
    asymptote = _percentile_estimate(
        min(now + float(law.excess_beyond(np.full(1, 0.5))[0]), 1.0),
        np.minimum(1 - draws[:, -1] + laws.excess_beyond(resampling.exponent_positions), 1.0),
        n_samples=n_test,
        confidence=confidence,
    )
    if asymptote.interval is not None and asymptote.interval[0] <= now and asymptote.interval[1] >= 1:
        reason = "these sizes fit an accuracy that has levelled off as well as one that goes on to 1"
        asymptote = Estimate.missing("abstained", reason)
    return Extrapolation(law=law, draws=laws, asymptote=asymptote, gain_from_doubling=gain)


def _abstained(reason: str) -> Extrapolation:
    missing = Estimate.missing("abstained", reason)
    return Extrapolation(law=None, draws=None, asymptote=missing, gain_from_doubling=missing)


def _percentile_estimate(value: float, draws: np.ndarray, *, n_samples: int, confidence: float) -> Estimate:
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(
        value=value,
        std_error=float(draws.std()),
        interval=(min(float(low), value), max(float(high), value)),
        n_samples=n_samples,
        confidence=confidence,
    )
