"""Small networks written here: the CIFAR residual network, random convolutional features, and a small CNN."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from carryover._core.errors import InputError
from carryover.models.seeding import seeded_torch


class _PaddedShortcut(nn.Module):
    """Option A of He et al. (2016): every second pixel, and the new channels filled with zeros on both sides."""

    def __init__(self, added_channels: int) -> None:
        super().__init__()
        self.added_channels = added_channels

    def forward(self, x: Tensor) -> Tensor:
        half = self.added_channels // 2
        return functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, half, self.added_channels - half))


class _ResidualBlock(nn.Module):
    """relu(x + BN(conv(relu(BN(conv(x)))))), both convolutions 3x3 without bias."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut = nn.Identity() if stride == 1 else _PaddedShortcut(out_channels - in_channels)

    def forward(self, x: Tensor) -> Tensor:
        inner = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(inner)) + self.shortcut(x))


class CifarResNet(nn.Module):
    """Residual network for 32x32 images: 6 k + 2 layers, widths 16, 32, 64 (He et al. 2016, section 4.2).

    Input (n, channels, h, w), output logits (n, n_classes); the pooled features are the ``width`` inputs of
    ``linear``; the three stages have a quarter, half and all of ``width`` channels.
    Shortcuts without parameters (option A).  Convolutions start from Kaiming's normal law.
    Raises InputError for a width that is not a multiple of 4.
    """

    def __init__(
        self, blocks_per_stage: int, n_classes: int = 10, *, width: int = 64, channels: int = 3
    ) -> None:
        super().__init__()
        if width < 4 or width % 4:
            raise InputError(f"the width of a residual network must be a multiple of 4, got {width}")
        first, second = width // 4, width // 2
        self.conv1 = nn.Conv2d(channels, first, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(first)
        self.layer1 = self._stage(first, first, n_blocks=blocks_per_stage)
        self.layer2 = self._stage(first, second, n_blocks=blocks_per_stage)
        self.layer3 = self._stage(second, width, n_blocks=blocks_per_stage)
        self.linear = nn.Linear(width, n_classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)

    @staticmethod
    def _stage(in_channels: int, out_channels: int, *, n_blocks: int) -> nn.Sequential:
        first = _ResidualBlock(in_channels, out_channels, stride=1 if in_channels == out_channels else 2)
        rest = [_ResidualBlock(out_channels, out_channels, stride=1) for _ in range(n_blocks - 1)]
        return nn.Sequential(first, *rest)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean(dim=(2, 3)))


def cifar_resnet20(n_classes: int = 10, *, seed: int = 0) -> CifarResNet:
    """ResNet-20 for 32x32 images, random weights from ``seed``; the global generator is left as it was.

    >>> sum(p.numel() for p in cifar_resnet20().parameters())
    269722
    """
    with seeded_torch(seed):
        return CifarResNet(3, n_classes)


def cifar_resnet56(n_classes: int = 10, *, seed: int = 0) -> CifarResNet:
    """ResNet-56 for 32x32 images, random weights from ``seed``; the global generator is left as it was.

    >>> sum(p.numel() for p in cifar_resnet56().parameters())
    853018
    """
    with seeded_torch(seed):
        return CifarResNet(9, n_classes)


class RandomConvolution(nn.Module):
    """Fixed random filters, rectified and averaged over a grid: mean over cells of relu(w * x).

    Filters are drawn from N(0, 1) by ``generator``, centred to mean zero and scaled to norm one each, so that
    a constant image gives zero features.  Output (n, n_filters * grid**2).
    Random-filter features as a baseline: Saxe et al. (2011), Coates, Ng and Lee (2011).
    """

    def __init__(
        self, generator: torch.Generator, *, channels: int, n_filters: int, size: int, grid: int
    ) -> None:
        super().__init__()
        if min(channels, n_filters, size, grid) < 1:
            raise InputError(
                "channels, n_filters, size and grid must be at least 1, "
                f"got {channels}, {n_filters}, {size} and {grid}"
            )
        filters = torch.randn(n_filters, channels, size, size, generator=generator)
        if channels * size * size > 1:  # a single weight centred to mean zero would vanish
            filters = filters - filters.mean(dim=(1, 2, 3), keepdim=True)
        self.register_buffer("filters", filters / filters.flatten(1).norm(dim=1).view(-1, 1, 1, 1))
        self.grid = grid

    def forward(self, x: Tensor) -> Tensor:
        if min(x.shape[-2:]) < self.filters.shape[-1]:
            raise InputError(f"images of {tuple(x.shape[-2:])} are smaller than the random filters")
        responses = functional.relu(functional.conv2d(x, self.filters))
        return functional.adaptive_avg_pool2d(responses, self.grid).flatten(1)


def random_convolution(
    *, seed: int = 0, channels: int = 3, n_filters: int = 64, size: int = 5, grid: int = 2
) -> RandomConvolution:
    """A :class:`RandomConvolution` drawn from a ``torch.Generator`` seeded with ``seed``.

    >>> random_convolution(n_filters=8)(torch.ones(2, 3, 32, 32)).shape
    torch.Size([2, 32])
    """
    generator = torch.Generator().manual_seed(seed)
    return RandomConvolution(generator, channels=channels, n_filters=n_filters, size=size, grid=grid)


class SmallCnn(nn.Module):
    """Two 3x3 convolutions with BatchNorm, average pooling on a 2x2 grid, one hidden and one linear layer.

    For images from 4x4 up; the pooled features are the ``4 * width`` inputs of ``head``.
    """

    def __init__(self, n_classes: int, *, channels: int, width: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(8 * width, 4 * width),
            nn.ReLU(),
        )
        self.head = nn.Linear(4 * width, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x))


def small_cnn(n_classes: int, *, channels: int = 3, width: int = 32, seed: int = 0) -> SmallCnn:
    """A small network to train on the spot, random weights from ``seed``; the global generator is left as it was.

    >>> small_cnn(10, channels=1, width=4)(torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 10])
    """
    if min(n_classes, channels, width) < 1:
        raise InputError(
            f"n_classes, channels and width must be at least 1, got {n_classes}, {channels}, {width}"
        )
    with seeded_torch(seed):
        return SmallCnn(n_classes, channels=channels, width=width)
