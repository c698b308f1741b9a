"""Pixels in [0, 1] to mean 0 and standard deviation 1 per channel, as part of the network."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from carryover._core.errors import InputError


class Normalize(nn.Module):
    """(image - mean) / std per channel; ``mean`` and ``std`` are buffers, stored with the weights.

    >>> Normalize([0.5], [0.25])(torch.ones(1, 1, 1, 1)).item()
    2.0
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        if len(mean) != len(std) or not len(mean) or min(std) <= 0.0:
            raise InputError(
                f"mean and std must be as long as there are channels, std > 0; got {mean} and {std}"
            )
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32)[:, None, None])
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32)[:, None, None])

    def forward(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std
