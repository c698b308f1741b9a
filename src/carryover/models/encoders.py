"""Encoders and decoders for images of one declared size, by name: what pretraining trains from random weights."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from carryover._core.errors import InputError
from carryover.models.backbones import CifarResNet
from carryover.models.seeding import seeded_torch


@dataclass(frozen=True)
class ImageSize:
    """Height, width and channels of every image."""

    height: int
    width: int
    channels: int

    @property
    def numbers(self) -> int:
        return self.height * self.width * self.channels


class ResNetEncoder(nn.Module):
    """The CIFAR residual network without its head: images (b, c, h, w) to its ``width`` pooled features."""

    def __init__(self, blocks_per_stage: int, *, channels: int, width: int) -> None:
        super().__init__()
        self.network = CifarResNet(blocks_per_stage, channels=channels, width=width)
        self.network.linear = nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images)


def _convolutional(size: ImageSize, width: int) -> nn.Module:
    """Three stages of convolution, batch norm and ReLU that halve the sides twice, then the mean over positions."""
    middle = max(width // 2, 8)
    return nn.Sequential(
        nn.Conv2d(size.channels, middle, 3, padding=1, bias=False), nn.BatchNorm2d(middle), nn.ReLU(),
        nn.Conv2d(middle, width, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
        nn.Conv2d(width, width, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * width, width),
    )  # fmt: skip


def _fully_connected(size: ImageSize, width: int) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(size.numbers, 2 * width), nn.ReLU(), nn.Linear(2 * width, width), nn.ReLU()
    )


ENCODERS: Mapping[str, Callable[[ImageSize, int], nn.Module]] = {
    "convolutional": _convolutional,
    "fully_connected": _fully_connected,
    "resnet8": lambda size, width: ResNetEncoder(1, channels=size.channels, width=width),
    "resnet20": lambda size, width: ResNetEncoder(3, channels=size.channels, width=width),
    "resnet56": lambda size, width: ResNetEncoder(9, channels=size.channels, width=width),
}
"""Names of encoders; ``width`` is the number of features (a multiple of 4 for the residual networks)."""


def build_encoder(name: str, size: ImageSize, *, width: int = 64, seed: int = 0) -> nn.Module:
    """An encoder with random weights from ``seed``: images (b, c, h, w) to features (b, d).

    Raises InputError for a name that is not in ``ENCODERS`` and a width < 1.

    >>> build_encoder("fully_connected", ImageSize(8, 8, 1), width=5)(torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 5])
    """
    if name not in ENCODERS:
        raise InputError(f"encoder must be one of {tuple(ENCODERS)}, got {name!r}")
    if width < 1:
        raise InputError(f"width must be >= 1, got {width}")
    with seeded_torch(seed):
        # Channels last in memory: the same numbers, convolutions about 1.4 times as fast on a CPU.
        return ENCODERS[name](size, width).to(memory_format=torch.channels_last)


def n_features(encoder: nn.Module, size: ImageSize) -> int:
    """How many features an encoder gives, by one pass over a blank image in evaluation mode."""
    training = encoder.training
    encoder.eval()
    try:
        with torch.no_grad():
            found = encoder(torch.zeros(1, size.channels, size.height, size.width))
    finally:
        encoder.train(training)
    if found.ndim != 2:
        raise InputError(f"an encoder must map images to features (b, d), got shape {tuple(found.shape)}")
    return found.shape[1]


def build_decoder(size: ImageSize, *, features: int, hidden: int = 256, seed: int = 0) -> nn.Module:
    """Features (b, d) to images (b, c, h, w): a linear map for ``hidden`` = 0, else one hidden layer."""
    with seeded_torch(seed):
        if hidden == 0:
            layers = [nn.Linear(features, size.numbers)]
        else:
            layers = [nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, size.numbers)]
        return nn.Sequential(*layers, nn.Unflatten(1, (size.channels, size.height, size.width)))
