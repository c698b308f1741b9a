"""The replica equations in 50 digits, by other formulas and another quadrature than the library's.

Gauss-Legendre in pieces of u, cut where z passes multiples of its standard deviation.  Only plain moments of xhat are
formed, response = E[xhat (z - b)] / Var z (Stein) and error = E xhat^2 - 2 E[xhat X] + E X^2, whose cancellation
50 digits bear.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import mpmath as mp
import numpy as np

DIGITS = 50
_REACH = (-13, -8, -5, -3, -1.5, 0, 1.5, 3, 5, 8, 13)  # standard deviations of z: 1e-37 lies beyond
_PIECE = 1.6  # longest piece in u
_STEP = "1e-15"  # of the finite differences, in logarithms


@lru_cache
def _rule() -> tuple[tuple[mp.mpf, mp.mpf], ...]:
    """48 Gauss-Legendre nodes on [-1, 1] with their weights."""
    with mp.workdps(DIGITS):
        return tuple(mp.calculus.quadrature.GaussLegendre(mp.mp).calc_nodes(5, mp.mp.prec))


@dataclass(frozen=True)
class Cell:
    """One group: its share, N(mean, variance) coefficient, sqrt k and u_0 = asinh(2 beta_0 / sqrt k)."""

    share: mp.mpf
    mean: mp.mpf
    variance: mp.mpf
    sqrt_k: mp.mpf
    origin: mp.mpf


def cells_of(task, network) -> list[Cell]:
    """The groups of a task whose k is formed from the weights that the protocol hands on, all in 50 digits."""
    mixture = task.mixture
    c, relative, gamma = (mp.mpf(float(x)) for x in (network.scale, network.relative_scale, network.readout))
    first, second = mp.sqrt(c * (1 + relative) / 2), mp.sqrt(c * (1 - relative) / 2)
    out = []
    for share, mean, variance, learned in zip(
        *(np.broadcast_to(x, mixture.share.shape) for x in
          (mixture.share, mixture.mean, mixture.variance, mixture.pretraining)),
        strict=True,
    ):  # fmt: skip
        if share == 0.0:
            continue
        angle = mp.asinh(mp.mpf(float(learned)) / c) / 2
        plus = first * mp.cosh(angle) + second * mp.sinh(angle)
        minus = first * mp.cosh(angle) - second * mp.sinh(angle)
        if network.protocol == "symmetrized":
            plus = minus = plus + minus
        readout = gamma / mp.sqrt(2)
        sqrt_k = mp.sqrt((plus**2 - minus**2) ** 2 + 4 * (plus * minus + readout**2) ** 2)
        origin = mp.asinh(2 * readout * (plus - minus) / sqrt_k)
        out.append(Cell(*(mp.mpf(float(x)) for x in (share, mean, variance)), sqrt_k, origin))
    return out


def _angle(cell: Cell, strength: mp.mpf, z: mp.mpf) -> float:
    """u with sqrt_k / 2 sinh u + strength (u - u_0) / 2 = z by bisection; only a place to cut, so doubles do."""
    k, g, start, goal = float(cell.sqrt_k), float(strength), float(cell.origin), float(z)
    low, high = -700.0, 700.0
    for _ in range(90):
        middle = 0.5 * (low + high)
        low, high = (
            (middle, high) if k / 2 * np.sinh(middle) + g / 2 * (middle - start) < goal else (low, middle)
        )
    return low


def moments(cell: Cell, noise: mp.mpf, strength: mp.mpf) -> tuple[mp.mpf, mp.mpf]:
    """E[d xhat / d z] and E(xhat - X)^2 of one cell at s^2 = noise and g = strength."""
    spread = cell.variance + noise
    deviation = mp.sqrt(spread)
    cuts = [_angle(cell, strength, cell.mean + t * deviation) for t in _REACH]
    edges = [
        mp.mpf(x)
        for low, high in pairwise(cuts)
        for x in np.linspace(low, high, int(np.ceil((high - low) / _PIECE)) + 1)[:-1]
    ] + [mp.mpf(cuts[-1])]
    total, first, second, along = (mp.mpf(0) for _ in range(4))
    half_k, half_g = cell.sqrt_k / 2, strength / 2
    for low, high in pairwise(edges):
        middle, radius = (low + high) / 2, (high - low) / 2
        for node, weight in _rule():
            u = middle + radius * node
            grown = mp.exp(u)
            cosh, sinh = (grown + 1 / grown) / 2, (grown - 1 / grown) / 2
            xhat = half_k * sinh
            offset = xhat + half_g * (u - cell.origin) - cell.mean
            density = radius * weight * mp.exp(-offset * offset / (2 * spread)) * (half_k * cosh + half_g)
            total += density
            first += density * xhat
            second += density * xhat * xhat
            along += density * xhat * offset
    norm = deviation * mp.sqrt(2 * mp.pi)
    assert abs(total / norm - 1) < mp.mpf("1e-30"), "the oracle's own quadrature"
    first, second, along = first / norm, second / norm, along / norm
    cross = cell.mean * first + cell.variance / spread * along  # E[xhat X]
    return along / spread, second - 2 * cross + cell.mean**2 + cell.variance


def corrected_error(model, alpha: float, noise: float, strength: float) -> tuple[float, float]:
    """One Newton step of the 50-digit equations from (s^2, g): the exact error there, and the step's length.

    The step's length, in logarithms, is squared by what is left over: below 1e-8 the error is good to 1e-15.
    """
    with mp.workdps(DIGITS):
        cells = cells_of(model.task, model.network)
        ridge, alpha = mp.mpf(float(model.ridge_strength)), mp.mpf(float(alpha))
        variance = mp.mpf(float(model.task.label_noise_std)) ** 2

        def equations(log_noise: mp.mpf, log_strength: mp.mpf) -> mp.matrix:
            s2, g = mp.exp(log_noise), mp.exp(log_strength)
            parts = [(cell.share, *moments(cell, s2, g)) for cell in cells]
            response = mp.fsum(share * one for share, one, _ in parts)
            error = mp.fsum(share * one for share, _, one in parts)
            return mp.matrix(
                [(variance + error) / (alpha * s2) - 1, (response + ridge / g) / alpha - 1, error]
            )

        x, y, h = mp.log(mp.mpf(float(noise))), mp.log(mp.mpf(float(strength))), mp.mpf(_STEP)
        here = equations(x, y)
        slopes = [(equations(x + h, y) - here) / h, (equations(x, y + h) - here) / h]
        jacobian = mp.matrix(2, 2)
        for column in range(2):
            jacobian[0, column], jacobian[1, column] = slopes[column][0], slopes[column][1]
        step = mp.lu_solve(jacobian, -here[:2])
        error = here[2] + slopes[0][2] * step[0] + slopes[1][2] * step[1]
        return float(error), float(max(abs(step[0]), abs(step[1])))
