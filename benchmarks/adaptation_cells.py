"""What the comparisons of adaptation share: networks and images as they take them, means with intervals."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from real_input import CIFAR_MEAN, CIFAR_STD
from scipy.stats import t as student

from carryover.adaptation.network import AdaptedNetwork
from carryover.adaptation.phases import Examples
from carryover.data.sources import open_dataset
from carryover.models.loading import ModelSource, load_model
from carryover.models.seeding import seeded_torch

CHECKPOINTS = {"resnet20": "resnet20-12fca82f.th", "resnet56": "resnet56-4bfd9763.th"}


def network_maker(root: Path, name: str, *, n_outputs: int):
    """Makes a CIFAR ResNet of the checkpoints with a new head, and its preprocessing."""
    source = ModelSource(
        name=name,
        factory=f"carryover.models.backbones:cifar_{name}",
        weights=root / "checkpoints" / CHECKPOINTS[name],
        mean=tuple(CIFAR_MEAN),
        std=tuple(CIFAR_STD),
    )
    model = load_model(source)

    def make() -> AdaptedNetwork:
        with seeded_torch(0):
            return AdaptedNetwork(load_model(source), width=64, n_outputs=n_outputs)

    return make, model.preprocessing


def all_images(path: Path, *, label: str, split: str | None = None, where: dict[str, Any] | None = None):
    """A column of images and labels (n,), of the rows with the values of ``where``."""
    dataset = open_dataset(str(path), split=split, where=where or {})
    return dataset.images(None, size=32, channels=3), np.asarray(dataset.values(label), dtype=np.int64)


def examples_at(images: Any, labels: np.ndarray, rows: np.ndarray, preprocessing: Any) -> Examples:
    """The rows' images as the network takes them, with class codes 0, 1, ... in the order of the labels."""
    codes = np.searchsorted(np.unique(labels[rows]), labels[rows])
    pixels = images.take(rows).read(0, len(rows))
    return Examples(preprocessing.apply(pixels, "cpu"), torch.from_numpy(codes))


def interval(values: list[float]) -> tuple[float, float, float]:
    """Mean of n >= 2 values and Student's 95 % interval."""
    array = np.asarray(values, dtype=np.float64)
    half = student.ppf(0.975, len(array) - 1) * array.std(ddof=1) / np.sqrt(len(array))
    return float(array.mean()), float(array.mean() - half), float(array.mean() + half)


def words(values: list[float], scale: float = 100.0) -> str:
    """Mean and interval for a table; what there is where there are fewer than two."""
    if len(values) < 2:
        return " ".join(f"{scale * one:.1f}" for one in values) or "-"
    mean, low, high = (scale * one for one in interval(values))
    return f"{mean:.1f} [{low:.1f}, {high:.1f}]"
