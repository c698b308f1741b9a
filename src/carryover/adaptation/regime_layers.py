"""What a run did to each layer: how far its weights moved, and how its features changed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from carryover.adaptation.network import AdaptedNetwork
from carryover.adaptation.phases import all_features
from carryover.adaptation.tangent import at_state
from carryover.measures.cka import debiased_cka
from carryover.measures.dimensions import shared_dimensions
from carryover.models.layer_features import layer_features
from carryover.models.weight_change import LayerBalance, layer_balances, weight_changes


@dataclass(frozen=True)
class LayerChange:
    """A layer before and after, on the same examples; None where something cannot be had.

    ``relative_change`` of its weight; ``cka`` the debiased linear CKA of its features (1: the same up to rotation and
    scale); ``participation_before`` and ``_after`` the numbers of directions they use; ``share`` of those after that
    were there before (near 1 with fewer directions: a nested subset; near 0: new ones).
    """

    name: str
    relative_change: float | None
    cka: float | None
    participation_before: float | None
    participation_after: float | None
    share: float | None


@dataclass(frozen=True)
class Changes:
    """By layer, of the features that the head sees, and the balance of neighbouring layers."""

    layers: tuple[LayerChange, ...]
    features: LayerChange
    balances: tuple[LayerBalance, ...]


def layer_changes(network: AdaptedNetwork, start: Mapping[str, Tensor], images: Tensor) -> Changes:
    """From the state ``start`` to the network as it is, on ``images`` (n, c, h, w); n >= 4."""
    after, features_after = _features(network, images)
    end = {name: value.detach().cpu() for name, value in network.state_dict().items()}
    with at_state(network, start):
        before, features_before = _features(network, images)
    moved = {one.name: one.relative_change for one in weight_changes(_own(start), _own(end))}
    layers = tuple(
        _change(f"encoder.{name}", moved.get(f"encoder.{name}.weight"), before[name], after[name])
        for name in after
        if name in before and ".lora_" not in name
    )
    features = _change("features", None, features_before, features_after)
    return Changes(layers, features, layer_balances(_own(start), _own(end)))


def _own(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The network's own weights, without low-rank additions."""
    return {name: value for name, value in state.items() if ".lora_" not in name}


def _features(network: AdaptedNetwork, images: Tensor) -> tuple[dict[str, np.ndarray], np.ndarray]:
    network.eval()
    layers = layer_features(network.encoder, network.features, images)
    return layers, all_features(network, images).astype(np.float64)


def _change(name: str, moved: float | None, before: np.ndarray, after: np.ndarray) -> LayerChange:
    shared = shared_dimensions(before, after)
    return LayerChange(
        name,
        moved,
        debiased_cka(before, after).value,
        shared.stats.get("participation_first") if shared.ok else None,
        shared.stats.get("participation_second") if shared.ok else None,
        shared.stats.get("share") if shared.ok else None,
    )
