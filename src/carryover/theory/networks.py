"""Diagonal linear networks: their weights, what gradient flow conserves, and the potential they carry to fine-tuning.

f(x) = sum_d beta_d x_d with beta_d = w+_d v+_d - w-_d v-_d, first layer w, readout v, squared loss.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from carryover._core.errors import InputError
from carryover.theory.checks import check_between, check_finite

Protocol = Literal["symmetrized", "kept"]
PROTOCOLS = ("symmetrized", "kept")


@dataclass(frozen=True)
class DiagonalWeights:
    """Weights w+, v+, w-, v- of every coordinate, each (..., d); any finite values.

    Under gradient flow (w+, v+) moves along (v+, w+) and (w-, v-) along -(v-, w-), so that what ``conserved``
    returns stays as it is, and so does ``k``; a start and an end with the same ``k`` are joined by
    beta = sqrt(k)/2 sinh(2 theta + asinh(2 beta_0 / sqrt(k))).  Raises InputError for weights that are not finite.
    """

    w_plus: Float[np.ndarray, "*d"]
    v_plus: Float[np.ndarray, "*d"]
    w_minus: Float[np.ndarray, "*d"]
    v_minus: Float[np.ndarray, "*d"]

    def __post_init__(self) -> None:
        arrays = np.broadcast_arrays(
            *(check_finite(name, getattr(self, name)) for name in ("w_plus", "v_plus", "w_minus", "v_minus"))
        )
        for name, array in zip(("w_plus", "v_plus", "w_minus", "v_minus"), arrays, strict=True):
            object.__setattr__(self, name, array)

    @property
    def coefficients(self) -> Float[np.ndarray, "*d"]:
        """beta = w+ v+ - w- v-."""
        return self.w_plus * self.v_plus - self.w_minus * self.v_minus

    @property
    def conserved(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """w+ w- + v+ v-, (w+)^2 - (v+)^2 and (w-)^2 - (v-)^2, which gradient flow leaves as they are."""
        return (
            self.w_plus * self.w_minus + self.v_plus * self.v_minus,
            (self.w_plus - self.v_plus) * (self.w_plus + self.v_plus),
            (self.w_minus - self.v_minus) * (self.w_minus + self.v_minus),
        )

    @property
    def sqrt_k(self) -> Float[np.ndarray, "*d"]:
        """sqrt(k), k = ((w+)^2 - (v+)^2 - (w-)^2 + (v-)^2)^2 + 4 (w+ w- + v+ v-)^2.

        Raises InputError where k = 0: such a coordinate cannot leave its place, or has no potential.
        """
        cross, plus, minus = self.conserved
        found = np.hypot(plus - minus, 2.0 * cross)
        if (found == 0.0).any():
            where = int(np.flatnonzero(np.ravel(found == 0.0))[0])
            raise InputError(
                f"weights have k = 0 in coordinate {where}: gradient flow has no potential there; "
                "k must be > 0 (give one of the layers a start that is not zero)"
            )
        return found

    def moved(self, angle: Float[np.ndarray, "*d"]) -> "DiagonalWeights":
        """The weights after a flow whose time integral of -d loss / d beta is ``angle``.

        >>> start = DiagonalWeights(1.0, 1.0, 1.0, 1.0)
        >>> float(start.moved(0.0).coefficients)
        0.0
        """
        cosh, sinh = np.cosh(angle), np.sinh(angle)
        return DiagonalWeights(
            self.w_plus * cosh + self.v_plus * sinh,
            self.v_plus * cosh + self.w_plus * sinh,
            self.w_minus * cosh - self.v_minus * sinh,
            self.v_minus * cosh - self.w_minus * sinh,
        )


@dataclass(frozen=True)
class Network:
    """The three scales of a two-phase run, and how pretraining's weights are handed on.

    - ``scale`` c = w^2 + v^2 > 0 and ``relative_scale`` lambda / c = (w^2 - v^2) / c in [-1, 1] of the pretraining
      start w+ = w- = sqrt((c + lambda)/2), v+ = v- = sqrt((c - lambda)/2); negative: a smaller first layer
    - ``readout`` gamma >= 0: fine-tuning starts with the readout reset to v+ = v- = gamma / sqrt(2)
    - ``protocol``: "symmetrized" sets w+ = w- to the sum of the pretrained ones, so that fine-tuning starts at
      beta = 0 (Anguita et al., 2026); "kept" leaves them (Lippl and Lindsey, 2024), and it starts at ``start``.

    Numbers may be arrays that broadcast.  ``relative_scale = -1`` with ``readout = 0`` is refused (k = 0).
    """

    scale: float | np.ndarray = 1e-3
    relative_scale: float | np.ndarray = 0.0
    readout: float | np.ndarray = 0.0
    protocol: Protocol = "symmetrized"

    def __post_init__(self) -> None:
        check_between("scale", self.scale, 0.0, np.inf, open_low=True)
        check_between("relative_scale", self.relative_scale, -1.0, 1.0)
        check_between("readout (gamma)", self.readout, 0.0, np.inf)
        if self.protocol not in PROTOCOLS:
            raise InputError(f"protocol must be one of {PROTOCOLS}, got {self.protocol!r}")
        if ((np.asarray(self.relative_scale) == -1.0) & (np.asarray(self.readout) == 0.0)).any():
            raise InputError(
                "relative_scale = -1 with readout (gamma) = 0 is degenerate: all weights of an unused coordinate "
                "start at 0 and k = 0; take relative_scale > -1 or readout > 0"
            )

    @property
    def _first(self) -> np.ndarray:
        """(c + lambda) / 2, the square of each first-layer weight at the start."""
        return np.asarray(self.scale) * (1.0 + np.asarray(self.relative_scale)) / 2.0

    @property
    def _second(self) -> np.ndarray:
        return np.asarray(self.scale) * (1.0 - np.asarray(self.relative_scale)) / 2.0

    def initial_weights(self) -> DiagonalWeights:
        """The start of pretraining."""
        first, second = np.sqrt(self._first), np.sqrt(self._second)
        return DiagonalWeights(first, second, first, second)

    def pretrained_weights(self, pretraining: Float[np.ndarray, "*d"]) -> DiagonalWeights:
        """The weights once pretraining has reached the coefficients: angle = asinh(beta_PT / c) / 2."""
        return self.initial_weights().moved(np.arcsinh(np.asarray(pretraining) / self.scale) / 2.0)

    def finetuning_start(self, pretraining: Float[np.ndarray, "*d"]) -> DiagonalWeights:
        """The weights that fine-tuning starts from: first layer by the protocol, readout reset."""
        return self.reset(self.pretrained_weights(pretraining))

    def reset(self, weights: DiagonalWeights) -> DiagonalWeights:
        """What fine-tuning starts from, given the weights that pretraining ended with."""
        plus, minus = weights.w_plus, weights.w_minus
        if self.protocol == "symmetrized":
            plus = minus = plus + minus
        readout = np.asarray(self.readout) / np.sqrt(2.0)
        return DiagonalWeights(plus, readout, minus, readout)

    def sqrt_k(self, pretraining: Float[np.ndarray, "*d"]) -> Float[np.ndarray, "*d"]:
        """sqrt(k) of fine-tuning's potential, for each pretraining coefficient.

        Symmetrized: 2 (c + lambda) (1 + sqrt(1 + (beta_PT / c)^2)) + gamma^2.  Kept, with r = sqrt(c^2 + beta_PT^2):
        k = (r + lambda)^2 + 2 gamma^2 (c + lambda r / c) + gamma^4.
        """
        ratio = np.asarray(pretraining) / self.scale
        gamma_squared = np.asarray(self.readout) ** 2
        if self.protocol == "symmetrized":
            return 4.0 * self._first * (1.0 + np.hypot(1.0, ratio)) + gamma_squared
        first, cross = self._kept_parts(ratio)
        return np.sqrt(first**2 + 2.0 * gamma_squared * cross + gamma_squared**2)

    def _kept_parts(self, ratio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """r + lambda and c + lambda r / c, with r - c written so that nothing cancels."""
        growth = ratio**2 / (np.hypot(1.0, ratio) + 1.0)  # r / c - 1
        return (
            self.scale * growth + 2.0 * self._first,
            2.0 * self._first + self.scale * np.asarray(self.relative_scale) * growth,
        )

    def sqrt_k_dependence(self, pretraining: Float[np.ndarray, "*d"]) -> Float[np.ndarray, "*d"]:
        """m = d log sqrt(k) / d log |beta_PT|, in [0, 1] for symmetrized weights."""
        ratio = np.asarray(pretraining) / self.scale
        root = np.hypot(1.0, ratio)
        sqrt_k = self.sqrt_k(pretraining)
        if self.protocol == "symmetrized":
            return 4.0 * self._first * ratio**2 / root / sqrt_k
        first, _ = self._kept_parts(ratio)
        slope = self.scale * ratio**2 / root  # d r / d log |beta_PT|
        gamma_squared = np.asarray(self.readout) ** 2
        return slope * (first + gamma_squared * np.asarray(self.relative_scale)) / sqrt_k**2

    def start(self, pretraining: Float[np.ndarray, "*d"]) -> Float[np.ndarray, "*d"]:
        """The coefficients beta_0 that fine-tuning starts from: 0, or (gamma / sqrt 2) (w+ - w-) for "kept"."""
        pretraining = np.asarray(pretraining, dtype=np.float64)
        shape = np.broadcast_shapes(
            pretraining.shape, *(np.shape(one) for one in (self.scale, self.relative_scale, self.readout))
        )
        if self.protocol == "symmetrized":
            return np.zeros(shape)
        angle = np.arcsinh(pretraining / self.scale) / 2.0
        return np.broadcast_to(np.sqrt(2.0 * self._second) * self.readout * np.sinh(angle), shape)
