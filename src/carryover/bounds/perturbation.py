"""How far the output of a transformer block can move when its input and its weights move: one Lipschitz step at
a time.

The size of a set of tokens is the largest of their lengths, |X| = max_t ||x_t||_2.  Two networks with weights
in the same limits, run on inputs x and x', differ in every step by at most a :class:`Change`

    |y - y'| <= input |x - x'| + sum over weights w of  weights[w] ||w - w'||,

matrices in the spectral norm, biases and tokens in the 2-norm, scales of layer norms in the largest entry.
Nothing depends on the number of tokens.  Derivation, and how each step was checked: docs/transfer_bound.md.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class WeightClass:
    """Weights of ``count`` numbers, of norm at most ``limit`` and at most ``distance`` from a reference."""

    limit: float
    distance: float
    count: int


@dataclass(frozen=True)
class Change:
    """|y - y'| <= ``input`` |x - x'| + sum of ``weights``[name] ||w - w'||."""

    input: float
    weights: Mapping[str, float] = field(default_factory=dict)

    def after(self, first: "Change") -> "Change":
        """That of this step applied to the output of ``first``."""
        carried = {name: self.input * value for name, value in first.weights.items()}
        return Change(self.input * first.input, _added(self.weights, carried))

    def plus(self, other: "Change") -> "Change":
        """That of the sum of two outputs of one input."""
        return Change(self.input + other.input, _added(self.weights, other.weights))

    def times(self, factor: float) -> "Change":
        """That of a map that is ``factor``-Lipschitz and has no weights, applied to the output."""
        return Change(factor, {}).after(self)


IDENTITY = Change(1.0)


@dataclass(frozen=True)
class LinearClass:
    """x -> W x + b for each token; ``bias`` None for none."""

    name: str
    weight: WeightClass
    bias: WeightClass | None = None

    def change(self, radius: float) -> Change:
        """W x + b - W' x' - b' = W (x - x') + (W - W') x' + b - b', inputs of length at most ``radius``."""
        weights = {f"{self.name}.weight": radius}
        return Change(self.weight.limit, weights | ({f"{self.name}.bias": 1.0} if self.bias else {}))

    def output_radius(self, radius: float) -> float:
        return self.weight.limit * radius + (self.bias.limit if self.bias else 0.0)


@dataclass(frozen=True)
class NormClass:
    """Layer norm x -> scale * (x - mean) / sqrt(variance + eps) + shift over ``width`` numbers.

    ``std_floor``: sqrt(variance + eps) is at least this at every token that the networks of the class are run
    on; sqrt(eps) is always true.
    """

    name: str
    scale: WeightClass
    shift: WeightClass
    width: int
    std_floor: float

    @property
    def radius(self) -> float:
        """Longest output: the normalised token has length at most sqrt(width)."""
        return self.scale.limit * math.sqrt(self.width) + self.shift.limit

    def change(self) -> Change:
        """Normalised tokens differ by at most 2 |x - x'| / (std + std'): they are projections of unit vectors.

        (x - mean, sqrt(width eps)) over its length is a unit vector of width + 1 numbers; sqrt(width) times its
        first part is the normalised token; and unit vectors u/||u||, v/||v|| differ by at most 2 ||u - v|| /
        (||u|| + ||v||) (Dunkl and Williams 1964).
        """
        weights = {f"{self.name}.weight": math.sqrt(self.width), f"{self.name}.bias": 1.0}
        return Change(self.scale.limit / self.std_floor, weights)


@dataclass(frozen=True)
class HeadClass:
    """One head of ``width`` numbers: sum_j softmax_j(q_i^T k_j / sqrt(width)) v_j.

    A bias of the keys adds the same to all logits of a row and changes nothing, so there is none.
    """

    query: LinearClass
    key: LinearClass
    value: LinearClass
    width: int

    def change(self, radius: float) -> Change:
        """|o - o'| <= |v - v'| + ||p - p'||_1 ||W_V'|| radius (a bias of the values cancels in the second part).

        ||softmax(a) - softmax(b)||_1 <= max_j |a_j - b_j|, and logits differ by at most
        (|k| |q - q'| + |q'| |k - k'|) / sqrt(width).
        """
        keys, queries = self.key.weight.limit * radius, self.query.output_radius(radius)
        logits = self.query.change(radius).times(keys).plus(self.key.change(radius).times(queries))
        mixed = self.value.weight.limit * radius / math.sqrt(self.width)
        return self.value.change(radius).plus(logits.times(mixed))


@dataclass(frozen=True)
class AttentionClass:
    """Heads side by side, then a linear map."""

    heads: tuple[HeadClass, ...]
    output: LinearClass

    def change(self, radius: float) -> Change:
        """Heads side by side: squares of their input constants add up; each weight belongs to one head."""
        changes = [head.change(radius) for head in self.heads]
        joined = Change(
            math.sqrt(math.fsum(change.input**2 for change in changes)),
            {name: value for change in changes for name, value in change.weights.items()},
        )
        size = math.sqrt(math.fsum(head.value.output_radius(radius) ** 2 for head in self.heads))
        return self.output.change(size).after(joined)


@dataclass(frozen=True)
class MlpClass:
    """Linear, an activation with value 0 at 0 that is ``slope``-Lipschitz, linear.  GELU: 1.13; ReLU: 1."""

    hidden: LinearClass
    projection: LinearClass
    slope: float

    def change(self, radius: float) -> Change:
        inner = self.hidden.change(radius).times(self.slope)
        return self.projection.change(self.slope * self.hidden.output_radius(radius)).after(inner)


@dataclass(frozen=True)
class BlockClass:
    """x + attention(norm(x)), then x + mlp(norm(x)): a pre-norm residual block."""

    norm_before: NormClass
    attention: AttentionClass
    norm_after: NormClass
    mlp: MlpClass

    def change(self) -> Change:
        """(1 + L_mlp L_norm) (1 + L_attention L_norm) for the input, and what each weight adds."""
        mixed = IDENTITY.plus(self.attention.change(self.norm_before.radius).after(self.norm_before.change()))
        return IDENTITY.plus(self.mlp.change(self.norm_after.radius).after(self.norm_after.change())).after(
            mixed
        )


def _added(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, float]:
    return {name: first.get(name, 0.0) + second.get(name, 0.0) for name in dict.fromkeys((*first, *second))}
