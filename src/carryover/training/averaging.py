"""The moving average of a network's weights, which often does better than the last of them."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from carryover._core.errors import InputError
from carryover.training.sharding import laid_out_as


class MovingAverage:
    """a <- d a + (1 - d) w after every step, from the first weights on, with d = min(decay, (1 + t) / (10 + t)).

    t counts steps from 1: a short run does not stay at its random start.  Running statistics are averaged like
    weights; what is not a floating-point number is copied.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        if not 0.0 < decay < 1.0:
            raise InputError(f"the decay of a moving average must lie in (0, 1), got {decay:g}")
        self.network, self.decay = network, decay
        self.tensors = {name: live.detach().clone() for name, live in network.state_dict().items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after ``step`` finished steps."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, live in self.network.state_dict().items():
            if live.is_floating_point():
                self.tensors[name].lerp_(live, 1.0 - decay)
            else:
                self.tensors[name].copy_(live)

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what a checkpoint holds; InputError where it is another network's."""
        if tensors.keys() != self.tensors.keys():
            missing = sorted(tensors.keys() ^ self.tensors.keys())
            raise InputError(
                f"the checkpoint's moving average does not fit the network: {', '.join(missing[:8])}"
            )
        self.tensors = {name: laid_out_as(tensors[name], live) for name, live in self.tensors.items()}
