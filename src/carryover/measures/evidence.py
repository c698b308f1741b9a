"""The evidence of Bayesian linear regression without intercept, maximised over both precisions.

Targets y (n,) and features F (n, d):  y ~ N(0, I / beta + F F^T / alpha).  With t = alpha / beta the best beta is
n / q(t), and what is left is a function of t alone,

    log evidence(t) = -n/2 log(2 pi q(t) / n) - n/2 - 1/2 log det(I + F F^T / t),   q(t) = y^T (I + F F^T / t)^{-1} y.

Features are not centred, but the eigendecomposition is the centred one that ridge uses.  Splitting R^n into the
vector of ones and its complement (a Schur complement) gives sums of positive terms, with s, g = V^T C^T y,
z = g / sqrt(s), m the mean in the eigenbasis and m_0^2 its square norm outside:

    C(t) = 1 + n (sum_j m_j^2 / (t + s_j) + m_0^2 / t),        log det = sum_j log(1 + s_j / t) + log C(t),
    B(t) = ybar - sum_j m_j g_j / (t + s_j),                    q(t) = r_0 + sum_j z_j^2 t / (t + s_j) + n B^2 / C,

where r_0 is what no linear function of the features explains.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from carryover.measures.spectrum import FeatureSpectrum

_GRID_STEP = 0.5  # in log t; the profile varies on the scale of 2
_MARGIN = 18.0  # the grid reaches this far, in log t, beyond the spectrum
_EXACT_FIT = 1e-12  # relative to sum of squares: what rounding leaves of a residual that is 0
_MAX_STEPS = 60
_SLOPE = 1e-7  # in nats: the evidence is then within about its square of the maximum
_WIDTH = 1e-9


@dataclass(frozen=True)
class EvidenceProfile:
    """What the evidence of each of k targets is a function of, in the centred eigenbasis."""

    n_rows: int
    eigenvalues: Float[np.ndarray, " r"]
    loadings_square: Float[np.ndarray, "r k"]
    mean_cross: Float[np.ndarray, "r k"]
    mean_square: Float[np.ndarray, " r"]
    mean_null_square: float
    unexplained: Float[np.ndarray, " k"]
    target_mean: Float[np.ndarray, " k"]
    total: Float[np.ndarray, " k"]

    @property
    def spans(self) -> bool:
        """True where F has rank n: then any target is fitted exactly, and the evidence has a limit as t -> 0."""
        return len(self.eigenvalues) == self.n_rows - 1 and self.mean_null_square > 0.0

    def log_evidence(self, ratio: Float[np.ndarray, " g"]) -> Float[np.ndarray, "k g"]:
        """The log evidence of each target at each of the shared ratios t = alpha / beta."""
        n, s, t = self.n_rows, self.eigenvalues[:, None], ratio
        inverse = 1.0 / (t + s)
        bend = 1.0 + n * (self.mean_square @ inverse + self.mean_null_square / t)
        offset = self.target_mean[:, None] - self.mean_cross.T @ inverse
        fit = self.unexplained[:, None] + self.loadings_square.T @ (t * inverse) + n * offset**2 / bend
        log_det = np.log1p(s / t).sum(axis=0) + np.log(bend)
        with np.errstate(divide="ignore"):  # an exact fit: the evidence is infinite, and maximise says so
            return -0.5 * (n * np.log(2.0 * np.pi * fit / n) + n + log_det)

    def slope(self, log_ratio: Float[np.ndarray, " k"]) -> tuple[np.ndarray, np.ndarray]:
        """d log evidence / d log t of each target at a ratio of its own, and the q(t) there."""
        n, s, t = self.n_rows, self.eigenvalues[:, None], np.exp(log_ratio)
        inverse = 1.0 / (t + s)
        weighted = self.loadings_square * inverse
        bend = 1.0 + n * (self.mean_square @ inverse + self.mean_null_square / t)
        crossed = self.mean_cross * inverse
        offset = self.target_mean - crossed.sum(axis=0)
        fit = self.unexplained + t * weighted.sum(axis=0) + n * offset**2 / bend
        offset_slope = np.einsum("rk,rk->k", crossed, inverse)
        shrinkage = s * inverse
        bend_slope = -n * (self.mean_square @ (inverse * inverse) + self.mean_null_square / t**2)
        fit_slope = np.einsum("rk,rk->k", weighted, shrinkage) + n * (
            2.0 * offset * offset_slope / bend - (offset / bend) ** 2 * bend_slope
        )
        log_det_slope = bend_slope / bend - shrinkage.sum(axis=0) / t
        return t * (-0.5 * n * fit_slope / fit - 0.5 * log_det_slope), fit

    def at_zero(self) -> Float[np.ndarray, " k"]:
        """The limit of the log evidence as t -> 0 where F has rank n: no noise at all."""
        n, s = self.n_rows, self.eigenvalues
        norm = (self.loadings_square / s[:, None]).sum(axis=0)
        norm += (self.target_mean - (self.mean_cross / s[:, None]).sum(axis=0)) ** 2 / self.mean_null_square
        log_det = np.log(s).sum() + np.log(n * self.mean_null_square)
        return -0.5 * (n * np.log(2.0 * np.pi * norm / n) + n + log_det)

    def at_infinity(self) -> Float[np.ndarray, " k"]:
        """The limit as t -> infinity: the features are not used."""
        n = self.n_rows
        return -0.5 * n * (np.log(2.0 * np.pi * self.total / n) + 1.0)

    def fitted_exactly(self) -> Bool[np.ndarray, " k"]:
        """Targets that F, of rank below n, fits without residual: their evidence has no upper bound."""
        if self.spans:
            return np.zeros(len(self.total), dtype=bool)
        left = self.unexplained.copy()
        if self.mean_null_square == 0.0:
            bend = 1.0 + self.n_rows * float((self.mean_square / self.eigenvalues).sum())
            offset = self.target_mean - (self.mean_cross / self.eigenvalues[:, None]).sum(axis=0)
            left += self.n_rows * offset**2 / bend
        return left <= _EXACT_FIT * self.total


@dataclass(frozen=True)
class MaximalEvidence:
    """The largest log evidence of each target, and the precisions that reach it (inf where only a limit does)."""

    log_evidence: Float[np.ndarray, " k"]
    alpha: Float[np.ndarray, " k"]
    beta: Float[np.ndarray, " k"]
    slope: Float[np.ndarray, " k"]


def evidence_profile(spectrum: FeatureSpectrum) -> EvidenceProfile:
    """The profile of every target of the spectrum; directions within rounding of nothing are left out."""
    kept = spectrum.eigenvalues > spectrum.tolerance
    s, cross = spectrum.eigenvalues[kept], spectrum.cross[kept]
    n, mean = spectrum.n_rows, spectrum.mean_coordinates[kept]
    square = cross**2 / s[:, None]
    spread = max(float(s[-1]), n * float(spectrum.mean @ spectrum.mean))
    rounding = np.finfo(np.float64).eps * (n + spectrum.n_features) * spread
    null = spectrum.mean_null_square
    unexplained = np.maximum(spectrum.target_scatter - square.sum(axis=0), 0.0)
    return EvidenceProfile(
        n_rows=n,
        eigenvalues=s,
        loadings_square=square,
        mean_cross=mean[:, None] * cross,
        mean_square=mean**2,
        mean_null_square=null if n * null > rounding else 0.0,
        unexplained=unexplained if len(s) < n - 1 else np.zeros_like(unexplained),
        target_mean=spectrum.target_mean,
        total=spectrum.target_scatter + n * spectrum.target_mean**2,
    )


def maximise_evidence(profile: EvidenceProfile) -> MaximalEvidence:
    """The maximum over t, for targets that are not fitted exactly (:meth:`EvidenceProfile.fitted_exactly`).

    A grid over log t finds the highest neighbourhood, the root of the slope is taken inside it, and both limits
    compete with it, so that the result is never below the best grid point.
    """
    low, high = np.log(profile.eigenvalues[0]) - _MARGIN, np.log(profile.eigenvalues[-1]) + _MARGIN
    grid = np.linspace(low, high, int((high - low) / _GRID_STEP) + 2)
    heights = profile.log_evidence(np.exp(grid))
    best = np.clip(heights.argmax(axis=1), 1, len(grid) - 2)
    root = _slope_root(profile, grid[best - 1], grid[best + 1])
    slope, fit = profile.slope(root)
    value = _at_own_ratio(profile, root, fit)
    ratio, beta = np.exp(root), profile.n_rows / fit
    alpha = ratio * beta
    infinite = profile.at_infinity()
    unused = infinite >= value
    value, alpha = np.where(unused, infinite, value), np.where(unused, np.inf, alpha)
    beta = np.where(unused, profile.n_rows / profile.total, beta)
    if profile.spans:
        zero = profile.at_zero()
        value, beta = np.maximum(value, zero), np.where(zero >= value, np.inf, beta)
    return MaximalEvidence(log_evidence=value, alpha=alpha, beta=beta, slope=slope)


def _at_own_ratio(profile: EvidenceProfile, log_ratio: np.ndarray, fit: np.ndarray) -> np.ndarray:
    n, t = profile.n_rows, np.exp(log_ratio)
    inverse = 1.0 / (t + profile.eigenvalues[:, None])
    bend = 1.0 + n * (profile.mean_square @ inverse + profile.mean_null_square / t)
    log_det = np.log1p(profile.eigenvalues[:, None] / t).sum(axis=0) + np.log(bend)
    return -0.5 * (n * np.log(2.0 * np.pi * fit / n) + n + log_det)


def _slope_root(profile: EvidenceProfile, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Where the slope changes sign from + to -, by false position with the Illinois step, for all targets at once."""
    slope_low, slope_high = profile.slope(low)[0], profile.slope(high)[0]
    rising, falling = slope_high > 0.0, slope_low < 0.0  # the maximum lies beyond the grid: stay at its end
    went_up = np.zeros(len(low), dtype=np.int64)
    point = 0.5 * (low + high)
    for _ in range(_MAX_STEPS):
        gap = np.where(slope_low > slope_high, slope_low - slope_high, np.inf)
        point = np.clip(low + (high - low) * np.where(np.isfinite(gap), slope_low / gap, 0.5), low, high)
        point = np.where(rising, high, np.where(falling, low, point))
        slope = profile.slope(point)[0]
        if ((np.abs(slope) <= _SLOPE) | (high - low <= _WIDTH) | rising | falling).all():
            break
        side = np.where(slope > 0.0, 1, -1)
        again = side == went_up  # the same end moved twice: halve the slope kept for the other
        slope_low = np.where(side > 0, slope, np.where(again, 0.5 * slope_low, slope_low))
        slope_high = np.where(side < 0, slope, np.where(again, 0.5 * slope_high, slope_high))
        low, high = np.where(side > 0, point, low), np.where(side < 0, point, high)
        went_up = side
    return point
