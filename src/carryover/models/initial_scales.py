"""Initialisation scales: weights multiplied before pretraining or before fine-tuning, and scales that change nothing.

The knobs of Anguita et al. (2026) on any network: ``all_weights`` (their absolute scale c), ``early`` (the early
blocks against the rest, in the place of the relative scale) and ``readout`` (gamma).  Where a normalisation follows a
scaled layer the function stays as it is, and only the effective learning rate changes.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from carryover._core.errors import InputError
from carryover.models.patterns import matching

_WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
CANCELLED_BELOW = 0.1
"""Of what turning a layer's weights around does to the features."""
_ROUNDING = 1e-5


@dataclass(frozen=True)
class InitialScales:
    """Factors of parameters (weights, biases and the affine parts of normalisations); 1 leaves them.

    ``early_parameters``: shell patterns of the early blocks' names, which "early" multiplies on top of "all_weights".
    ``all_weights`` leaves out the readout (the head; in pretraining decoder or projector), which ``readout`` multiplies
    alone.  Names of the encoder's parameters begin with "encoder.".
    """

    all_weights: float = 1.0
    early: float = 1.0
    readout: float = 1.0
    early_parameters: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("all_weights", "early", "readout"):
            value = getattr(self, name)
            if not (value > 0.0 and math.isfinite(value)):
                raise InputError(f"scale {name} must be > 0 and finite, got {value:g}")
        if self.early != 1.0 and not self.early_parameters:
            raise InputError(
                "scale early needs early_parameters: patterns of the early blocks' parameter names"
            )


@torch.no_grad()
def scale_weights(network: nn.Module, encoder: nn.Module, scales: InitialScales) -> list[str]:
    """Multiply the parameters of ``network`` in place, ``encoder`` a part of it; the names of those that changed.

    Names are "encoder.*" for the encoder's, and the network's own for the readout's.  InputError for a pattern that
    matches nothing.
    """
    inside = {id(weight): f"encoder.{name}" for name, weight in encoder.named_parameters()}
    weights = {inside.get(id(weight), name): weight for name, weight in network.named_parameters()}
    early = set(matching(inside.values(), scales.early_parameters)) if scales.early_parameters else set()
    changed = []
    for name, weight in weights.items():
        factor = scales.all_weights if id(weight) in inside else scales.readout
        factor *= scales.early if name in early else 1.0
        if factor != 1.0:
            weight.mul_(factor)
            changed.append(name)
    return changed


@torch.no_grad()
def cancelled_scales(
    network: nn.Module,
    encoder: nn.Module,
    images: Tensor,
    *,
    features: Callable[[Tensor], Tensor],
    changed: Sequence[str],
) -> list[str]:
    """The encoder's linear and convolutional layers with a scaled parameter whose scale a following normalisation
    cancels.

    Found by trying: a layer's weight and bias are halved, and turned around. Where halving changes ``features`` of
    ``images`` (n, c, h, w) by less than a tenth of what turning around does (a quarter without any normalisation), the
    scale says next to nothing about the function; exactly nothing is rare, for normalisations add a small number to
    variances.  Normalisations work as in ``network.train()``; weights and statistics are put back.
    """
    layers = {
        f"encoder.{name}": layer
        for name, layer in encoder.named_modules()
        if isinstance(layer, _WEIGHTED)
        and any(one.rpartition(".")[0] == f"encoder.{name}" for one in changed)
    }
    found = []
    with _as_trained(network):
        reference = features(images)
        for name, layer in layers.items():
            gaps = []
            for factor in (0.5, -1.0):
                with _multiplied(layer, factor):
                    gaps.append(float(torch.linalg.vector_norm(features(images) - reference)))
            # A layer that the features do not depend on at all is not one whose scale is cancelled.
            matters = gaps[1] > _ROUNDING * float(torch.linalg.vector_norm(reference))
            if matters and gaps[0] < CANCELLED_BELOW * gaps[1]:
                found.append(name)
    return found


def cancellation_warning(layers: Sequence[str]) -> str | None:
    """The sentence that names them, None where there are none."""
    if not layers:
        return None
    shown = ", ".join(layers[:6]) + (f" and {len(layers) - 6} more" if len(layers) > 6 else "")
    return (
        f"A normalisation that follows cancels the scale of {len(layers)} layers ({shown}): the network computes what "
        "it did, only its effective learning rate there changed."
    )


@contextmanager
def _multiplied(layer: nn.Module, factor: float) -> Iterator[None]:
    parts = [part for part in (layer.weight, layer.bias) if part is not None]
    kept = [part.clone() for part in parts]
    try:
        for part in parts:
            part.mul_(factor)
        yield
    finally:
        for part, value in zip(parts, kept, strict=True):
            part.copy_(value)


@contextmanager
def _as_trained(network: nn.Module) -> Iterator[None]:
    """Training mode without randomness; statistics of batch norms and the former mode are put back."""
    training = network.training
    kept = {name: value.clone() for name, value in network.named_buffers()}
    network.train()
    for layer in network.modules():
        if isinstance(layer, nn.Dropout):
            layer.eval()
    try:
        yield
    finally:
        for name, value in network.named_buffers():
            value.copy_(kept[name])
        network.train(training)
