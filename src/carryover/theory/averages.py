"""Averages over one coordinate of the scalar problem: its error, its response, and their derivatives.

A coefficient X ~ N(b, S) is seen as z = X + s V and estimated by xhat = prox of g q_k at z.  With
xhat = (sqrt k / 2) sinh u the observation is z = (sqrt k / 2) sinh u + (g / 2)(u - u_0): the nodes need no root.
X is integrated out given z ~ N(b, S + s^2), and the rest is a trapezoidal sum over u, whose error falls exponentially
with the number of nodes (the integrand is analytic and dies off at both ends).  Differences that become tiny with s
(xhat - X, z - b) are formed without cancellation.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from carryover.theory.potentials import solve_coordinate

_REACH = 8.7  # standard deviations of z on each side: what lies beyond weighs less than 4e-18
_STEP = 0.15  # in u: the integrand is analytic in a strip of half width pi/4, error exp(-2 pi (pi/4) / step)
_FINE = 0.4  # standard deviations of z per step where the law has its mean: error exp(-2 pi^2 / 0.16)
_LEAST_NODES = 20  # over the reach: steps of less than half a standard deviation where z is linear in u
_GROWTH = (
    1.4  # numbers of intervals are powers of it: few different ones, so that many cells are summed at once
)
_AT_ONCE = 8192  # nodes of all cells together
_NARROW = 1e-3  # of |b|: below it the ends are found by one linear step from b


@dataclass(frozen=True)
class Cells:
    """Scalar problems, one for each entry (m,): N(``mean``, ``variance``) coefficients, potential, its start in u."""

    sqrt_k: Float[np.ndarray, " m"]
    mean: Float[np.ndarray, " m"]
    variance: Float[np.ndarray, " m"]
    origin: Float[np.ndarray, " m"]

    def take(self, rows: np.ndarray) -> "Cells":
        return replace(
            self,
            sqrt_k=self.sqrt_k[rows],
            mean=self.mean[rows],
            variance=self.variance[rows],
            origin=self.origin[rows],
        )

    @property
    def centred(self) -> np.ndarray:
        """Where the law of u is symmetric about 0."""
        return (self.mean == 0.0) & (self.origin == 0.0)


@dataclass(frozen=True)
class Averages:
    """Of each cell: ``response`` E[d xhat / d z], ``error`` E(xhat - X)^2, and their slopes (m,).

    ``_noise`` slopes are along log s^2, ``_strength`` slopes along log g.
    """

    response: np.ndarray
    error: np.ndarray
    response_noise: np.ndarray
    response_strength: np.ndarray
    error_noise: np.ndarray
    error_strength: np.ndarray


@dataclass(frozen=True)
class _Nodes:
    """Quadrature over u of each cell, (m, nodes); ``weight`` sums to 1, ``offset`` is z - b."""

    u: np.ndarray
    sinh: np.ndarray
    width: np.ndarray  # sqrt(k + 4 xhat^2)
    offset: np.ndarray
    weight: np.ndarray
    ratio: np.ndarray  # s^2 / (S + s^2), (m, 1)


@dataclass(frozen=True)
class _Reach:
    """Where the nodes of each cell (m,) lie in u, and how many intervals they make: of each cell by itself, so that
    its sums are the same bit for bit whatever else is in the batch.  ``centre`` is None where u is symmetric.
    """

    low: np.ndarray
    high: np.ndarray
    deviation: np.ndarray
    centre: np.ndarray | None
    intervals: np.ndarray

    def alike(self) -> Iterator[np.ndarray]:
        """The cells, grouped by their number of intervals, few enough at once that their nodes stay in the cache."""
        for count in np.unique(self.intervals):
            rows = np.flatnonzero(self.intervals == count)
            few = max(1, _AT_ONCE // (count + 1))
            for begin in range(0, len(rows), few):
                yield rows[begin : begin + few]

    def take(self, rows: np.ndarray) -> "_Reach":
        centre = None if self.centre is None else self.centre[rows]
        return _Reach(self.low[rows], self.high[rows], self.deviation[rows], centre, self.intervals[rows])


def averages(cells: Cells, noise: Float[np.ndarray, " m"], strength: Float[np.ndarray, " m"]) -> Averages:
    """The averages at effective noise variance s^2 = ``noise`` and regularisation g = ``strength``, both > 0."""
    out = np.empty((6, len(noise)))
    centred = cells.centred
    for rows, symmetric in ((np.flatnonzero(centred), True), (np.flatnonzero(~centred), False)):
        if len(rows):
            out[:, rows] = _averages(cells.take(rows), noise[rows], strength[rows], symmetric)
    return Averages(*out)


def _averages(cells: Cells, noise: np.ndarray, strength: np.ndarray, symmetric: bool) -> np.ndarray:
    out = np.empty((6, len(noise)))
    reach = _reach(cells, noise, strength, symmetric)
    for rows in reach.alike():
        nodes = _quadrature(cells.take(rows), noise[rows], strength[rows], reach=reach.take(rows))
        out[:, rows] = _sums(cells.take(rows), strength[rows], nodes)
    return out


def _sums(cells: Cells, strength: np.ndarray, nodes: _Nodes) -> np.ndarray:
    g, ratio = strength[:, None], nodes.ratio[:, 0]
    inverse = nodes.width + g
    np.reciprocal(inverse, out=inverse)
    response = nodes.width * inverse
    moved = nodes.u - cells.origin[:, None]
    gap = nodes.ratio * nodes.offset
    gap -= (g / 2.0) * moved  # xhat - E[X | z]
    weighted, pull = nodes.weight * response, nodes.weight * gap
    bend = nodes.weight * nodes.sinh
    bend *= inverse
    bend *= inverse
    size = cells.sqrt_k * strength  # bend lacks this factor
    total = weighted.sum(axis=1)
    return np.stack(
        [
            total,
            _dot(pull, gap) + cells.variance * ratio,  # the last is the variance of X given z
            ratio * size * _dot(bend, nodes.offset, inverse),
            -strength * (size * _dot(bend, moved, inverse) + _dot(weighted, inverse)),
            ratio * (_dot(weighted, gap, nodes.offset) + cells.variance * total),
            -strength * _dot(pull, moved, response),
        ]
    )


def _dot(*factors: np.ndarray) -> np.ndarray:
    """Row sums of a product, without forming it: large temporary arrays cost more than the arithmetic."""
    return np.einsum(",".join(["mn"] * len(factors)) + "->m", *factors)


def _reach(cells: Cells, noise: np.ndarray, strength: np.ndarray, symmetric: bool) -> _Reach:
    deviation = np.sqrt(cells.variance + noise)
    shift = strength * cells.origin / 2.0
    if symmetric:
        low, high = np.zeros(len(noise)), solve_coordinate(cells.sqrt_k, strength, _REACH * deviation)
        fine, centre, sides = np.full(len(noise), _STEP), None, 1
    else:
        centre = solve_coordinate(cells.sqrt_k, strength, cells.mean + shift)
        slope = (cells.sqrt_k * np.cosh(centre) + strength) / 2.0
        low, high = (
            np.where(
                _REACH * deviation < _NARROW * np.abs(cells.mean),
                sign * _REACH * deviation / slope,
                solve_coordinate(cells.sqrt_k, strength, cells.mean + shift + sign * _REACH * deviation)
                - centre,
            )
            for sign in (-1.0, 1.0)
        )
        fine, sides = np.minimum(_STEP, _FINE * deviation / slope), 2
    needed = (high - low) / fine / (sides * _LEAST_NODES)
    level = np.ceil(np.log(np.maximum(needed, 1.0)) / np.log(_GROWTH))
    intervals = np.ceil(sides * _LEAST_NODES * _GROWTH**level).astype(int)
    return _Reach(low, high, deviation, centre, intervals)


def _quadrature(cells: Cells, noise: np.ndarray, strength: np.ndarray, *, reach: _Reach) -> _Nodes:
    """Nodes of cells that need as many; of cells that need different numbers all get the most."""
    k, g, deviation = cells.sqrt_k[:, None], strength[:, None], reach.deviation
    intervals = int(reach.intervals.max())
    step = (reach.high - reach.low) / intervals
    moved = reach.low[:, None] + step[:, None] * np.arange(intervals + 1)
    u = moved if reach.centre is None else reach.centre[:, None] + moved
    sinh, width = np.sinh(u), np.cosh(u)
    width *= k
    if reach.centre is None:
        offset = (k / 2.0) * sinh
        offset += (g / 2.0) * u
    else:
        offset = k * np.sinh(moved / 2.0) * np.cosh(reach.centre[:, None] + moved / 2.0) + (g / 2.0) * moved
    weight = offset / deviation[:, None]
    weight *= weight
    weight *= -0.5
    np.exp(weight, out=weight)
    weight *= width + g
    weight *= (step / (2.0 * deviation * np.sqrt(2.0 * np.pi)))[:, None]
    if reach.centre is None:
        weight *= 2.0
        weight[:, 0] /= 2.0
    return _Nodes(u, sinh, width, offset, weight, (noise / (cells.variance + noise))[:, None])


def distances(
    cells: Cells, noise: np.ndarray, strength: np.ndarray, points: Float[np.ndarray, " m"]
) -> Float[np.ndarray, " m"]:
    """E(xhat - point)^2 of each cell: with pretraining's coefficients, what fine-tuning forgot."""
    out = np.empty(len(noise))
    reach = _reach(cells, noise, strength, symmetric=False)
    for rows in reach.alike():
        own = cells.take(rows)
        nodes = _quadrature(own, noise[rows], strength[rows], reach=reach.take(rows))
        found = own.sqrt_k[:, None] / 2.0 * nodes.sinh - points[rows, None]
        out[rows] = _dot(nodes.weight, found, found)
    return out


def estimate_nodes(
    cells: Cells, noise: np.ndarray, strength: np.ndarray, n_nodes: int
) -> tuple[Float[np.ndarray, "m n"], Float[np.ndarray, "m n"]]:
    """The law of xhat as at most about ``n_nodes`` values with their weights, which sum to 1 in each cell."""
    nodes = _quadrature(cells, noise, strength, reach=_reach(cells, noise, strength, symmetric=False))
    skip = max(1, -(-nodes.u.shape[1] // n_nodes))
    weight = nodes.weight[:, ::skip]
    return (
        cells.sqrt_k[:, None] / 2.0 * nodes.sinh[:, ::skip],
        weight / weight.sum(axis=1, keepdims=True),
    )
