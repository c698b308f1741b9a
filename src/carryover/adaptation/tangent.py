"""The last phase of a plan once more, on the network's tangent at the weights that it started from."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from carryover.adaptation.anchoring import anchored, ball_radius
from carryover.adaptation.network import AdaptedNetwork
from carryover.adaptation.phases import Budget, Examples, all_scores, loop_spec, phase_loss
from carryover.adaptation.plans import Phase
from carryover.models.linearized import LinearizedNetwork
from carryover.training.loop import LoopOptions, train


@contextmanager
def at_state(network: nn.Module, state: Mapping[str, Tensor]) -> Iterator[None]:
    """Inside, ``network`` has the weights and statistics of ``state``; afterwards its own, which parameters train
    included.
    """
    kept = {name: value.detach().clone() for name, value in network.state_dict().items()}
    needs = [(weight, weight.requires_grad) for weight in network.parameters()]
    network.load_state_dict(state)
    try:
        yield
    finally:
        network.load_state_dict(kept)
        for weight, wanted in needs:
            weight.requires_grad_(wanted)


def tangent_scores(
    network: AdaptedNetwork,
    phase: Phase,
    data: Examples,
    *,
    budget: Budget,
    images: Tensor,
    pretrained: Mapping[str, Tensor] | None = None,
) -> np.ndarray:
    """Scores (n, K) for ``images`` of the network linearised where it is now and trained by ``phase``.

    ``network`` is as the phase's descent finds it, and trains the parameters that need gradients: the same steps,
    batches and constraint (from the ``pretrained`` weights) as the network's own descent.  Its weights are changed:
    call inside :func:`at_state`.  Batch norms have their stored statistics, whatever the phase says; the last weights
    are kept, not the best.
    """
    anchor = anchored(network, pretrained)
    tangent = LinearizedNetwork(network)

    radius = ball_radius(phase, anchor)

    def after_step(_: int) -> None:
        anchor.project(radius, by_layer=phase.by_layer)

    train(
        tangent,
        phase_loss(tangent, phase, anchor, data=data, budget=budget),
        n_examples=len(data),
        spec=loop_spec(phase, budget, n=len(data)),
        options=LoopOptions(),
        after_step=after_step,
    )
    with torch.no_grad():
        return all_scores(tangent, images).cpu().numpy()
