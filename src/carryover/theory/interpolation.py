"""The exact solution at finite size: the interpolator, or the ridge solution, of least potential.

    min sum_d q_d(beta_d)  s.t.  X beta = y            (or  min ||y - X beta||^2 / 2 + t sum_d q_d(beta_d))

is solved in its dual, minimise over nu (n,)   sum_d q_d*( (X^T nu)_d ) + t ||nu||^2 / 2 - y^T nu,   smooth and convex,
whose gradient is X beta(nu) + t nu - y with beta_d = q_d*'((X^T nu)_d) = (sqrt k_d / 2) sinh(2 (X^T nu)_d + u_0d).
Damped Newton: one product and one Cholesky factorization of an n x n matrix for each step.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.linalg import LinAlgError, cho_factor, cho_solve, lstsq

from carryover._core.errors import InputError
from carryover._core.results import Result
from carryover.theory.checks import check_finite, check_number, check_samples
from carryover.theory.potentials import HyperbolicEntropy

_MOST_STEPS = 200
_RELATIVE_ROUNDING = 1e-13  # of the dual value: a decrease that rounding hides is accepted
_RANK_TOLERANCE = 1e-11  # of the largest singular value


@dataclass(frozen=True)
class Step:
    """What one Newton step factorized; for benchmarks and curious readers."""

    residual: float
    damping: float


def interpolate(
    features: Float[np.ndarray, "n d"],
    targets: Float[np.ndarray, " n"],
    potential: HyperbolicEntropy,
    *,
    dual_start: Float[np.ndarray, " n"] | None = None,
    tolerance: float = 1e-13,
) -> Result:
    """The beta (d,) of least potential with X beta = y; n <= d.

    ``stats``: ``residual`` ||X beta - y|| / ||y||, ``steps``, ``dual`` (n,), a start for a neighbouring problem.
    Failed where Newton stalls above 1e-10.  ``tolerance`` is what it aims at.
    Raises InputError for X without full row rank, a y outside its range (n > d), what is not finite or does not fit.

    >>> interpolate(np.ones((1, 2)), np.ones(1), HyperbolicEntropy(np.array([1.0, 1.0]))).value
    array([0.5, 0.5])
    """
    matrix, values = check_samples(features, targets)
    _check_rank(matrix, values)
    return _solve(matrix, values, potential, strength=0.0, dual_start=dual_start, tolerance=tolerance)


def ridge_fit(
    features: Float[np.ndarray, "n d"],
    targets: Float[np.ndarray, " n"],
    potential: HyperbolicEntropy,
    *,
    strength: float,
    dual_start: Float[np.ndarray, " n"] | None = None,
    tolerance: float = 1e-13,
) -> Result:
    """The beta (d,) that minimises ||y - X beta||^2 / 2 + strength sum q(beta), for any n and d; strength > 0.

    ``stats`` as :func:`interpolate`; ``residual`` is that of the optimality condition X beta + strength nu = y.
    """
    strength = check_number("strength", strength, 0.0, np.inf, open_low=True)
    matrix, values = check_samples(features, targets)
    return _solve(matrix, values, potential, strength=strength, dual_start=dual_start, tolerance=tolerance)


def _check_rank(matrix: np.ndarray, values: np.ndarray) -> None:
    n, d = matrix.shape
    if n <= d:
        smallest, largest = np.linalg.eigvalsh(matrix @ matrix.T)[[0, -1]]
        if smallest > _RANK_TOLERANCE**2 * largest and largest > 0.0:
            if smallest > 1e-13 * n * largest:
                return
            sizes = np.linalg.svd(matrix, compute_uv=False)
            if sizes[-1] > _RANK_TOLERANCE * sizes[0]:
                return
    fitted, _, rank, _ = lstsq(matrix, values, cond=_RANK_TOLERANCE)
    left = float(np.linalg.norm(matrix @ fitted - values))
    if left > 1e-8 * max(float(np.linalg.norm(values)), 1e-300):
        raise InputError(
            f"y must lie in the range of X: no beta interpolates it (residual {left:.3g}; X has {n} rows, "
            f"rank {rank})"
        )
    raise InputError(
        f"X must have full row rank {n}, got rank {rank} (shape {matrix.shape}): drop dependent rows"
    )


def _solve(
    matrix: np.ndarray,
    values: np.ndarray,
    potential: HyperbolicEntropy,
    *,
    strength: float,
    dual_start: np.ndarray | None,
    tolerance: float,
) -> Result:
    n, d = matrix.shape
    if any(np.shape(one) not in ((), (d,)) for one in (potential.sqrt_k, potential.start)):
        raise InputError(f"the potential must have shape () or ({d},), as X has columns")
    if dual_start is not None and np.shape(dual_start) != (n,):
        raise InputError(f"dual_start must have shape ({n},), as X has rows, got {np.shape(dual_start)}")
    dual = _Dual(
        matrix, values, np.broadcast_to(potential.sqrt_k, (d,)) / 2.0, _origin(potential, d), strength
    )
    nu = np.zeros(n) if dual_start is None else check_finite("dual_start", dual_start).copy()
    size = float(np.linalg.norm(values))
    if size == 0.0 and strength == 0.0 and not np.any(potential.start):
        return Result(np.zeros(d), stats={"residual": 0.0, "steps": 0, "dual": nu})
    point = dual.at(nu)
    if not np.isfinite(point.value):
        point = dual.at(np.zeros(n))
    steps, best = 0, point
    while steps < _MOST_STEPS and np.linalg.norm(point.gradient) > tolerance * size:
        direction = dual.newton_direction(point)
        if direction is None:
            break
        after = _line_search(dual.at, point, direction)
        steps += 1
        if after is None:
            break
        stalled = np.linalg.norm(after.gradient) >= 0.5 * np.linalg.norm(point.gradient)
        point = after
        if np.linalg.norm(point.gradient) < np.linalg.norm(best.gradient):
            best = point
        elif stalled and np.linalg.norm(best.gradient) <= 1e-10 * size:
            break
    residual = float(np.linalg.norm(best.gradient)) / (size or 1.0)
    stats = {"residual": residual, "steps": steps, "dual": best.nu}
    if residual > 1e-10:
        reason = (
            f"the damped Newton method stopped at a relative residual of {residual:.1e} after {steps} steps"
        )
        return Result(status="failed", reason=reason, stats=stats)
    return Result(best.coefficients, stats=stats)


def _origin(potential: HyperbolicEntropy, d: int) -> np.ndarray:
    return np.broadcast_to(np.arcsinh(2.0 * np.asarray(potential.start) / potential.sqrt_k), (d,))


@dataclass(frozen=True)
class _Point:
    """The dual at nu: its value, gradient (n,), the coefficients (d,), and d beta / d(X^T nu) (d,)."""

    nu: np.ndarray
    value: float
    gradient: np.ndarray
    coefficients: np.ndarray
    slope: np.ndarray


@dataclass(frozen=True)
class _Dual:
    matrix: np.ndarray
    targets: np.ndarray
    amplitude: np.ndarray  # sqrt(k) / 2
    origin: np.ndarray
    strength: float

    def at(self, nu: np.ndarray) -> _Point:
        with np.errstate(over="ignore", invalid="ignore"):
            correlation = self.matrix.T @ nu
            angle = 2.0 * correlation + self.origin
            sinh = np.sinh(angle)
            coefficients = self.amplitude * sinh
            slope = 2.0 * self.amplitude * np.hypot(1.0, sinh)
            value = float(
                np.sum(self.amplitude * np.sinh(correlation + self.origin) * np.sinh(correlation))
                + 0.5 * self.strength * (nu @ nu)
                - self.targets @ nu
            )
            gradient = self.matrix @ coefficients + self.strength * nu - self.targets
        return _Point(nu, value, gradient, coefficients, slope)

    def newton_direction(self, point: _Point) -> np.ndarray | None:
        weighted = self.matrix * np.sqrt(point.slope)
        hessian = weighted @ weighted.T
        if self.strength:
            hessian[np.diag_indices_from(hessian)] += self.strength
        try:
            return -cho_solve(cho_factor(hessian, overwrite_a=True, check_finite=False), point.gradient)
        except (LinAlgError, ValueError):
            return None


def _line_search(at: Callable[[np.ndarray], _Point], point: _Point, direction: np.ndarray) -> _Point | None:
    """The first halved step that lowers the dual, up to what rounding hides, or that halves the gradient."""
    slope = float(point.gradient @ direction)
    slack = _RELATIVE_ROUNDING * max(abs(point.value), 1.0)
    size = np.linalg.norm(point.gradient)
    step = 1.0
    for _ in range(60):
        after = at(point.nu + step * direction)
        lower = after.value <= point.value + 1e-4 * step * slope + slack and np.isfinite(after.gradient).all()
        if lower and (after.value < point.value - slack or np.linalg.norm(after.gradient) < size):
            return after
        step *= 0.5
    return None
