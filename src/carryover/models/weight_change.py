"""How far a network's weights moved, by layer, and how they are balanced between neighbouring layers."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from carryover._core.errors import InputError
from carryover.models.weights import shorten

_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True)
class WeightChange:
    """One parameter: ``relative_change`` = ||W_t - W_0||_F / ||W_0||_F, or None where it started at zero.

    ``norm_before``, ``norm_after`` and ``distance`` are Frobenius norms.
    """

    name: str
    norm_before: float
    norm_after: float
    distance: float
    relative_change: float | None


@dataclass(frozen=True)
class LayerBalance:
    """Two neighbouring layers: ||W_l||_F^2 - ||W_{l+1}||_F^2 before and after training."""

    first: str
    second: str
    before: float
    after: float


def weight_changes(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> tuple[WeightChange, ...]:
    """The change of every parameter between two state dicts of one network, in their order.

    The statistics that batch norm keeps are no weights and are left out; norms are summed in float64.
    Raises InputError where names or shapes differ, and for values that are not finite.

    >>> change, = weight_changes({"w": torch.tensor([3.0, 4.0])}, {"w": torch.tensor([3.0, 9.0])})
    >>> change.distance, change.relative_change
    (5.0, 1.0)
    """
    return tuple(_change(name, *pair) for name, pair in _paired(before, after).items())


def layer_balances(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> tuple[LayerBalance, ...]:
    """||W_l||_F^2 - ||W_{l+1}||_F^2 of each two layers that follow one another in the state dicts.

    A layer is a parameter with two or more dimensions (biases and norms' factors are left out).  Under gradient flow
    the difference is conserved between layers that nothing but a linear or rectified unit joins; large steps,
    weight decay, skip connections and normalisation change it.
    Reference: Du, Hu, Lee, NeurIPS 2018, corollary 2.1.  Raises InputError as :func:`weight_changes`.
    """
    squares = {
        name: tuple(_norm(weight) ** 2 for weight in pair)
        for name, pair in _paired(before, after).items()
        if pair[0].ndim >= 2
    }
    return tuple(
        LayerBalance(first, second, *(a - b for a, b in zip(squares[first], squares[second], strict=True)))
        for first, second in itertools.pairwise(squares)
    )


def _change(name: str, before: Tensor, after: Tensor) -> WeightChange:
    start, distance = _norm(before), _norm(after.double() - before.double())
    return WeightChange(name, start, _norm(after), distance, distance / start if start > 0.0 else None)


def _norm(tensor: Tensor) -> float:
    return float(torch.linalg.vector_norm(tensor, dtype=torch.float64))


def _paired(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    """The weights of both by name, checked to be those of one network."""
    first, second = _weights(before), _weights(after)
    odd = sorted(first.keys() ^ second.keys())
    if odd:
        raise InputError(f"before and after must be weights of one network, only one has: {shorten(odd)}")
    for name, weight in first.items():
        if weight.shape != second[name].shape:
            raise InputError(
                f"{name} must have one shape, got {tuple(weight.shape)} before and {tuple(second[name].shape)} after"
            )
        if not bool(torch.isfinite(weight).all() & torch.isfinite(second[name]).all()):
            raise InputError(f"{name} holds NaN or infinity before or after training")
    return {name: (weight, second[name]) for name, weight in first.items()}


def _weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name: tensor.detach().cpu()
        for name, tensor in state.items()
        if tensor.is_floating_point() and name.rpartition(".")[2] not in _STATISTICS
    }
