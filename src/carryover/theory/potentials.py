"""Convex separable potentials that gradient flow minimises implicitly, with ridge and L1 as members and limits."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from carryover.theory.checks import check_between, check_finite

_NEWTON_STEPS = 60


def solve_coordinate(
    sqrt_k: np.ndarray, regularization: np.ndarray, position: np.ndarray
) -> Float[np.ndarray, "*n"]:
    """u with (sqrt_k / 2) sinh u + (regularization / 2) u = position, by Newton from above: it converges monotonically.

    The left side is convex for u >= 0, and u is at most asinh(2 position / sqrt_k) and 2 position / regularization.

    >>> float(solve_coordinate(np.array(2.0), np.array(0.0), np.array(np.sinh(1.5))))
    1.5
    """
    size, width, weight = np.broadcast_arrays(np.abs(position), sqrt_k, regularization)
    with np.errstate(divide="ignore", invalid="ignore"):
        ceiling = np.where(weight > 0.0, 2.0 * size / weight, np.inf)
    u = np.minimum(np.arcsinh(2.0 * size / width), ceiling)
    moving = np.ones(u.shape, dtype=bool)
    for _ in range(_NEWTON_STEPS):
        sinh = np.sinh(u)
        step = (width * sinh + weight * u - 2.0 * size) / (width * np.hypot(1.0, sinh) + weight)
        # One that has arrived stays: how long the others take must not change its last digit.
        u = np.where(moving, np.maximum(u - step, 0.0), u)
        moving &= np.abs(step) > 4e-16 * u
        if not moving.any():
            break
    return np.copysign(u, position)


@dataclass(frozen=True)
class HyperbolicEntropy:
    """q_k(b) = (sqrt k / 4) [1 - sqrt(1 + 4 b^2 / k) + (2 b / sqrt k) asinh(2 b / sqrt k)], of every coordinate.

    q'(b) = asinh(2 b / sqrt k) / 2 and q''(b) = (k + 4 b^2)^(-1/2).  With a ``start`` beta_0 that is not zero it is
    the Bregman divergence from there, whose gradient is q'(b) - q'(beta_0).  ``sqrt_k`` and ``start`` broadcast
    with the argument; accurate for k from 1e-18 to 1e8 (tested).
    Limits: b^2 / (2 sqrt k) where sqrt k >> |b|, (|b| / 2) log(4 |b| / (e sqrt k)) where sqrt k << |b|.
    Raises InputError unless sqrt_k > 0.

    >>> round(float(HyperbolicEntropy(2.0).gradient(np.sinh(1.0))), 12)
    0.5
    """

    sqrt_k: float | np.ndarray
    start: float | np.ndarray = 0.0

    def __post_init__(self) -> None:
        check_between("sqrt_k", self.sqrt_k, 0.0, np.inf, open_low=True)
        check_finite("start", self.start)

    def _coordinates(self, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.arcsinh(2.0 * np.asarray(b) / self.sqrt_k), np.arcsinh(
            2.0 * np.asarray(self.start) / self.sqrt_k
        )

    def value(self, b: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """The potential of each coordinate, >= 0, and 0 at the start."""
        u, origin = self._coordinates(b)
        step = u - origin
        fall = 2.0 * np.sinh((u + origin) / 2.0) * np.sinh(step / 2.0)  # cosh u - cosh origin
        return np.asarray(self.sqrt_k) / 4.0 * (np.sinh(u) * step - fall)

    def gradient(self, b: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        u, origin = self._coordinates(b)
        return (u - origin) / 2.0

    def curvature(self, b: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """The second derivative."""
        return 1.0 / np.hypot(self.sqrt_k, 2.0 * np.asarray(b))

    def conjugate(self, s: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """sup_b s b - value(b): (sqrt k / 4) (cosh(2 s + u_0) - cosh u_0) - beta-free part 0 at s = 0."""
        _, origin = self._coordinates(np.zeros(()))
        return np.asarray(self.sqrt_k) / 2.0 * np.sinh(np.asarray(s) + origin) * np.sinh(s)

    def conjugate_gradient(self, s: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """The b whose gradient is s: (sqrt k / 2) sinh(2 s + u_0)."""
        _, origin = self._coordinates(np.zeros(()))
        return np.asarray(self.sqrt_k) / 2.0 * np.sinh(2.0 * np.asarray(s) + origin)

    def prox(self, z: Float[np.ndarray, "*n"], strength: float | np.ndarray) -> Float[np.ndarray, "*n"]:
        """argmin_b (b - z)^2 / 2 + strength value(b), for strength >= 0."""
        strength = check_between("strength", strength, 0.0, np.inf)
        _, origin = self._coordinates(np.zeros(()))
        width = np.asarray(self.sqrt_k, dtype=np.float64)
        u = solve_coordinate(width, strength, np.asarray(z) + strength * origin / 2.0)
        return width / 2.0 * np.sinh(u)


@dataclass(frozen=True)
class Quadratic:
    """Ridge, curvature b^2 / 2: with curvature 1 / sqrt k the limit of the hyperbolic entropy for large k.

    >>> float(Quadratic(2.0).prox(3.0, 1.0))
    1.0
    """

    second_derivative: float | np.ndarray

    def __post_init__(self) -> None:
        check_between("second_derivative", self.second_derivative, 0.0, np.inf, open_low=True)

    def value(self, b: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        return np.asarray(self.second_derivative) * np.square(b) / 2.0

    def gradient(self, b: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        return np.asarray(self.second_derivative) * np.asarray(b)

    def conjugate(self, s: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        return np.square(s) / (2.0 * np.asarray(self.second_derivative))

    def prox(self, z: Float[np.ndarray, "*n"], strength: float | np.ndarray) -> Float[np.ndarray, "*n"]:
        """Shrinkage: z / (1 + strength curvature)."""
        strength = check_between("strength", strength, 0.0, np.inf)
        return np.asarray(z) / (1.0 + strength * np.asarray(self.second_derivative))


@dataclass(frozen=True)
class AbsoluteValue:
    """L1, weight |b|: up to a logarithm the limit of the hyperbolic entropy for small k.

    2 q_k(b) / log(1 / sqrt k) tends to |b|, like 1 / log(1 / sqrt k).

    >>> float(AbsoluteValue(1.0).prox(-3.0, 1.0))
    -2.0
    """

    weight: float | np.ndarray

    def __post_init__(self) -> None:
        check_between("weight", self.weight, 0.0, np.inf, open_low=True)

    def value(self, b: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        return np.asarray(self.weight) * np.abs(b)

    def gradient(self, b: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """A subgradient: 0 at 0."""
        return np.asarray(self.weight) * np.sign(b)

    def conjugate(self, s: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """0 where |s| <= weight, inf elsewhere."""
        return np.where(np.abs(s) <= self.weight, 0.0, np.inf)

    def prox(self, z: Float[np.ndarray, "*n"], strength: float | np.ndarray) -> Float[np.ndarray, "*n"]:
        """Soft thresholding."""
        strength = check_between("strength", strength, 0.0, np.inf)
        return np.sign(z) * np.maximum(np.abs(z) - strength * np.asarray(self.weight), 0.0)
