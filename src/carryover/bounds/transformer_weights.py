"""Norms of a ViTMAE's weights, read by their names: the limits its blocks' perturbation is computed from."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Num

from carryover._core.checks import check_range
from carryover._core.errors import InputError, did_you_mean
from carryover.bounds.perturbation import (
    AttentionClass,
    BlockClass,
    Change,
    HeadClass,
    LinearClass,
    MlpClass,
    NormClass,
    WeightClass,
)

GELU_SLOPE = 1.13  # the largest slope of x Phi(x) is 1.1290, at sqrt 2
Arrays = Mapping[str, Num[np.ndarray, "..."]]


class WeightReader:
    """Limits of the weights, read from the networks by name; ``classes`` collects those that were read."""

    def __init__(
        self,
        networks: Sequence[Arrays],
        references: Arrays | None,
        floors: dict[str, float],
        default: float,
    ) -> None:
        if len(networks) == 0:
            raise InputError("networks must hold at least one network, got none")
        self.networks, self.references, self.floors, self.default = networks, references, floors, default
        self.classes: dict[str, WeightClass] = {}
        self.norms: list[str] = []

    def _read(self, name: str) -> list[np.ndarray]:
        """The array of this name in every network, then its reference."""
        found = []
        for given in (*self.networks, *([] if self.references is None else [self.references])):
            if name not in given:
                raise InputError(f"networks and references must hold {name}; {did_you_mean(name, given)}")
            found.append(np.asarray(given[name], dtype=np.float64))
        if self.references is None:
            found.append(np.zeros_like(found[0]))
        if not all(np.isfinite(array).all() and array.shape == found[0].shape for array in found):
            raise InputError(f"{name} must be finite and have one shape in all networks and references")
        return found

    def _add(self, name: str, arrays: list[np.ndarray], norm: Callable[[np.ndarray], float]) -> WeightClass:
        *own, reference = arrays
        limit = max(norm(array) for array in own)
        self.classes[name] = WeightClass(limit, max(norm(array - reference) for array in own), reference.size)
        return self.classes[name]

    def linear(
        self, name: str, rows: slice = slice(None), *, part: str = "", bias: bool = True
    ) -> LinearClass:
        """Rows of a linear map; ``part`` tells several of one map apart."""
        full = f"{name}{part}"
        weights = [array.reshape(len(array), -1)[rows] for array in self._read(f"{name}.weight")]
        matrix = self._add(f"{full}.weight", weights, _spectral)
        if not bias:
            return LinearClass(full, matrix)
        shifts = [array[rows] for array in self._read(f"{name}.bias")]
        return LinearClass(full, matrix, self._add(f"{full}.bias", shifts, _length))

    def token(self, name: str) -> Change:
        """A learned token that stands beside the others."""
        self._add(name, self._read(name), _length)
        return Change(0.0, {name: 1.0})

    def norm(self, name: str) -> NormClass:
        """A layer norm with its floor, or that of eps."""
        self.norms.append(name)
        floor = self.floors.get(name, self.default)
        check_range(f"std_floors[{name!r}]", floor, 0, math.inf, open_low=True, open_high=True)
        scale = self._add(f"{name}.weight", self._read(f"{name}.weight"), _largest)
        shift = self._add(f"{name}.bias", self._read(f"{name}.bias"), _length)
        return NormClass(name, scale, shift, scale.count, floor)

    def block(self, prefix: str, n_heads: int) -> BlockClass:
        """One block; its heads are consecutive rows of the maps to queries, keys and values."""
        attention = f"{prefix}.attention"
        width = len(self._read(f"{attention}.q_proj.weight")[0])
        if n_heads < 1 or width % n_heads:
            raise InputError(f"the number of heads must divide the width {width} of {prefix}, got {n_heads}")
        size = width // n_heads
        heads = tuple(
            HeadClass(
                query=self.linear(f"{attention}.q_proj", rows, part=f"[{at}]"),
                key=self.linear(f"{attention}.k_proj", rows, part=f"[{at}]", bias=False),
                value=self.linear(f"{attention}.v_proj", rows, part=f"[{at}]"),
                width=size,
            )
            for at, rows in enumerate(slice(start, start + size) for start in range(0, width, size))
        )
        return BlockClass(
            self.norm(f"{prefix}.layernorm_before"),
            AttentionClass(heads, self.linear(f"{attention}.o_proj")),
            self.norm(f"{prefix}.layernorm_after"),
            MlpClass(self.linear(f"{prefix}.mlp.fc1"), self.linear(f"{prefix}.mlp.fc2"), GELU_SLOPE),
        )


def _spectral(matrix: np.ndarray) -> float:
    return float(np.linalg.norm(matrix, 2))


def _length(vector: np.ndarray) -> float:
    return float(np.linalg.norm(vector.ravel()))


def _largest(vector: np.ndarray) -> float:
    return float(np.abs(vector).max())
