"""A straight line through points whose two coordinates are both noisy, and which scatter about it besides."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

_MOST_ROUNDS = 100


@dataclass(frozen=True)
class NoisyLine:
    """y = intercept + slope x.  With the weights held fixed the slope is linear in y: ``coefficients`` @ y.

    ``leverage``: how far a point pulls the line towards itself.  ``slope_std_error``: from the noise model, the
    stated noise of both coordinates and the scatter about the line that is left over.
    """

    slope: float
    intercept: float
    x: Float[np.ndarray, " n"]
    fitted: Float[np.ndarray, " n"]
    residuals: Float[np.ndarray, " n"]
    coefficients: Float[np.ndarray, " n"]
    leverage: Float[np.ndarray, " n"]
    slope_std_error: float


def fit_noisy_line(
    x: Float[np.ndarray, " n"],
    y: Float[np.ndarray, " n"],
    *,
    x_std: Float[np.ndarray, " n"],
    y_std: Float[np.ndarray, " n"],
) -> NoisyLine:
    """Weighted least squares with weights 1/(y_std^2 + slope^2 x_std^2 + scatter^2), corrected for the noise in
    x:

        slope = sum w dx y / (sum w dx^2 - sum w (1 - w) x_std^2),    dx = x - sum w x,  sum w = 1

    (noise in x adds the second sum to the first, and would flatten the line).  scatter^2 is what the mean
    squared residual, n/(n-2) times, exceeds the mean stated noise by, at least 0.  Iterated until the slope
    stands still. n >= 3 with x not all equal and the corrected sum positive is the caller's business.
    Reference: Fuller, Measurement error models (1987), section 3.1; Tremaine et al., ApJ 574 (2002), on the
    scatter.

    >>> flat = np.zeros(3)
    >>> fit_noisy_line(np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 5.0]), x_std=flat, y_std=flat).slope
    2.0
    """
    n, slope, scatter = len(x), 0.0, 0.0
    for _ in range(_MOST_ROUNDS):
        variance = y_std**2 + slope**2 * x_std**2 + scatter
        # Points without noise on a line without scatter: all count the same.
        variance = variance + (1e-9 * variance.max() or 1.0)
        weights = 1 / variance / (1 / variance).sum()
        distance = x - weights @ x
        spread = weights @ distance**2 - (weights * (1 - weights)) @ x_std**2
        coefficients = weights * distance / spread
        before, slope = slope, float(coefficients @ y)
        intercept = float(weights @ y - slope * (weights @ x))
        residuals = y - intercept - slope * x
        stated = y_std**2 + slope**2 * x_std**2
        scatter = max(0.0, float(residuals @ residuals) / (n - 2) - float(stated.mean()))
        if abs(slope - before) <= 1e-10 * abs(slope):
            break
    return NoisyLine(
        slope=slope,
        intercept=intercept,
        x=x,
        fitted=intercept + slope * x,
        residuals=residuals,
        coefficients=coefficients,
        leverage=weights + weights * distance**2 / spread,
        slope_std_error=float(np.sqrt(coefficients**2 @ (stated + scatter))),
    )
