"""The fixed point of the replica equations: the exact error of the interpolator, or of ridge, as d grows.

Unknowns are the effective noise s^2 and the effective regularisation g.  With xhat the prox of g q_k at X + s V,

    alpha s^2 = sigma_0^2 + E(xhat - X)^2,        alpha = E[d xhat / d z] + t / g,

t = 0 for the interpolator and t > 0 for min ||y - X beta||^2 / 2 + t sum q_k(beta) (Anguita et al., 2026,
Proposition 5.1).  The error per coordinate is E(xhat - X)^2 at the root; alpha s^2 - sigma_0^2 would cancel.

For each s the second equation has one root g, its right side falling in g; the first then has one root in log s^2:
below it the right side is larger.  Both are followed at once by Newton steps in (log s^2, log g) with exact
derivatives, kept inside brackets that only ever shrink, a whole batch of problems at a time.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from carryover.theory.averages import Averages, Cells, averages

_TOLERANCE = 1e-12  # of both equations, in logarithms
_ACCEPTED = 1e-9  # where rounding stops progress
_STEPS = 200
_LONGEST = 4.0  # of one step in log s^2 and log g
_NEAR = 0.05  # of the second equation: nearer than this both unknowns move together
_SURE = 1e-3  # nearer than this the sign of the first equation is known at the root of the second


@dataclass(frozen=True)
class Problems:
    """A batch (p,): alpha, noise variance and strength t of each, and cells that belong to them.

    ``share`` (m,) is the weight of a cell in its problem, ``owner`` (m,) that problem's index.
    """

    alpha: Float[np.ndarray, " p"]
    noise_variance: Float[np.ndarray, " p"]
    ridge_strength: Float[np.ndarray, " p"]
    cells: Cells
    share: Float[np.ndarray, " m"]
    owner: np.ndarray

    def sum(self, values: np.ndarray) -> Float[np.ndarray, " p"]:
        """The average of a cell's value over each problem."""
        return np.bincount(self.owner, weights=self.share * values, minlength=len(self.alpha))

    def take(self, rows: np.ndarray) -> "Problems":
        """The problems ``rows`` (increasing indices)."""
        place = np.full(len(self.alpha), -1)
        place[rows] = np.arange(len(rows))
        cells = np.flatnonzero(place[self.owner] >= 0)
        return Problems(
            self.alpha[rows],
            self.noise_variance[rows],
            self.ridge_strength[rows],
            self.cells.take(cells),
            self.share[cells],
            place[self.owner[cells]],
        )


@dataclass(frozen=True)
class FixedPoint:
    """Of each problem: s^2, g, the error, the larger residual of both equations (in logarithms), steps, converged."""

    noise: Float[np.ndarray, " p"]
    strength: Float[np.ndarray, " p"]
    error: Float[np.ndarray, " p"]
    residual: Float[np.ndarray, " p"]
    steps: np.ndarray
    converged: np.ndarray


@dataclass
class _State:
    """Where each problem stands: log s^2, log g, and a bracket for each (that of g belongs to the present s)."""

    noise: np.ndarray
    strength: np.ndarray
    noise_low: np.ndarray
    noise_high: np.ndarray
    strength_low: np.ndarray
    strength_high: np.ndarray


def solve_fixed_point(problems: Problems) -> FixedPoint:
    """Solve every problem of the batch; ``alpha`` must lie in (0, 1), or above 0 where the strength is > 0."""
    n = len(problems.alpha)
    state = _start(problems)
    residual, steps = np.full(n, np.inf), np.zeros(n, dtype=int)
    active, best = np.arange(n), np.full((3, n), np.nan)
    current = problems
    for count in range(1, _STEPS + 1):
        with np.errstate(all="ignore"):
            found, moved = _advance(current, state, active)
        better = found < residual[active]
        rows = active[better]
        residual[rows], steps[rows] = found[better], count
        best[:, rows] = moved[:, better]
        keep = residual[active] > _TOLERANCE
        if not keep.any():
            break
        if not keep.all():
            active = active[keep]
            current = problems.take(active)
    return FixedPoint(np.exp(best[0]), np.exp(best[1]), best[2], residual, steps, residual <= _ACCEPTED)


def _start(problems: Problems) -> _State:
    cells = problems.cells
    signal = problems.sum(cells.mean**2 + cells.variance)
    noise = np.log((problems.noise_variance + signal) / problems.alpha)
    curvature = problems.sum(np.hypot(cells.sqrt_k, 2.0 * np.sqrt(cells.mean**2 + cells.variance)))
    share = np.minimum(problems.alpha, 0.95)
    strength = np.log(curvature * (1.0 / share - 1.0) + problems.ridge_strength / problems.alpha)
    blank = np.full(len(noise), np.inf)
    return _State(noise, strength, -blank, blank.copy(), -blank, blank.copy())


def _advance(problems: Problems, state: _State, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One step of the problems ``rows``; returns their residuals, and unknowns and error, before it."""
    noise, strength = state.noise[rows], state.strength[rows]
    g = np.exp(strength)
    found = _summed(problems, averages(problems.cells, np.exp(noise)[problems.owner], g[problems.owner]))
    # The second equation, in logarithms: response + t / g = alpha.
    load = problems.ridge_strength / g
    total = found.response + load
    second = np.log(total / problems.alpha)
    second_strength = (found.response_strength - load) / total
    second_noise = found.response_noise / total
    # The first, with the error carried along to the root of the second.
    along = -second / second_strength
    error = found.error + found.error_strength * along
    level = problems.noise_variance + error
    first = np.log(level / problems.alpha) - noise
    tilt = -second_noise / second_strength
    first_noise = (found.error_noise + found.error_strength * tilt) / level - 1.0
    # As g falls to 0 the second equation rises to log(1 / alpha) only, unless a strength is given.
    room = np.where(problems.ridge_strength > 0.0, 1.0, np.clip(1.0 / problems.alpha - 1.0, 0.0, 1.0))
    together = (np.abs(second) < _NEAR * room) & np.isfinite(first)
    sure = together & (np.abs(second) < _SURE * room)
    _narrow(state, rows, noise, strength, second, np.where(sure, first, np.nan))
    # On a plateau, where the slope says nothing, go a fixed way in the direction of the root.
    step = _bounded(np.where(first_noise < 0.0, -first / first_noise, np.sign(first) * _LONGEST / 2.0))
    target = _inside(noise + step, noise, state.noise_low[rows], state.noise_high[rows])
    step = np.where(together, target - noise, 0.0)
    alone = _inside(
        strength + _bounded(np.where(second_strength < 0.0, along, second)),
        strength,
        state.strength_low[rows],
        state.strength_high[rows],
    )
    state.strength[rows] = np.where(together, strength + along + _bounded(tilt * step), alone)
    state.noise[rows] = noise + step
    changed = rows[step != 0.0]
    state.strength_low[changed], state.strength_high[changed] = -np.inf, np.inf
    plain = np.log((problems.noise_variance + found.error) / problems.alpha) - noise
    return np.maximum(np.abs(second), np.abs(plain)), np.stack([noise, strength, found.error])


def _narrow(
    state: _State,
    rows: np.ndarray,
    noise: np.ndarray,
    strength: np.ndarray,
    second: np.ndarray,
    first: np.ndarray,
) -> None:
    """Shrink the brackets by what the signs say: ``second`` falls in log g, ``first`` is positive below its root."""
    np.maximum.at(state.strength_low, rows[second > 0.0], strength[second > 0.0])
    np.minimum.at(state.strength_high, rows[second <= 0.0], strength[second <= 0.0])
    np.maximum.at(state.noise_low, rows[first > 0.0], noise[first > 0.0])
    np.minimum.at(state.noise_high, rows[first < 0.0], noise[first < 0.0])


def _bounded(step: np.ndarray) -> np.ndarray:
    return np.clip(step, -_LONGEST, _LONGEST)


def _inside(target: np.ndarray, now: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """``target`` where it lies inside its bracket, else the bracket's middle (or a long step where one end is open)."""
    with np.errstate(invalid="ignore"):
        middle = np.where(
            np.isfinite(low) & np.isfinite(high),
            0.5 * (low + high),
            np.where(np.isfinite(low), low + _LONGEST, high - _LONGEST),
        )
    outside = ((target <= low) | (target >= high)) & (target != now) | ~np.isfinite(target)
    return np.where(outside, np.where(np.isfinite(middle), middle, now), target)


def _summed(problems: Problems, parts: Averages) -> Averages:
    return Averages(
        problems.sum(parts.response),
        problems.sum(parts.error),
        problems.sum(parts.response_noise),
        problems.sum(parts.response_strength),
        problems.sum(parts.error_noise),
        problems.sum(parts.error_strength),
    )
