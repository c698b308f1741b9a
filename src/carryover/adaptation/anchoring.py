"""What a phase's constraint is measured from, and how far it lets the weights go."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from carryover.adaptation.constraints import Anchor
from carryover.adaptation.network import AdaptedNetwork, pretrained_name, pretrained_names
from carryover.adaptation.plans import Phase


def anchored(network: AdaptedNetwork, pretrained: Mapping[str, Tensor] | None) -> Anchor:
    """The trained encoder weights with the ``pretrained`` ones by name, or without those as they are now."""
    names = pretrained_names(network)
    start = None if pretrained is None else {name: pretrained[pretrained_name(name)] for name in names}
    return Anchor(network, names, start)


def ball_radius(phase: Phase, anchor: Anchor) -> float:
    """The radius of the phase's ball around the pretrained weights that train, infinity for none."""
    if phase.relative_radius == math.inf:
        return phase.radius
    norms = [float(torch.linalg.vector_norm(one)) for one in anchor.start]
    return min(phase.radius, phase.relative_radius * math.hypot(*norms))
