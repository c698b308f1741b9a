"""A small network with a new head, and images of stripes to adapt it to."""

import numpy as np
import torch

from carryover.adaptation.network import AdaptedNetwork
from carryover.adaptation.phases import Budget, Examples
from carryover.models.loading import ModelSource, load_model

SOURCE = ModelSource(
    name="small",
    factory="carryover.models.backbones:small_cnn",
    factory_arguments={"n_classes": 4, "channels": 1, "width": 4},
)
BUDGET = Budget(steps=30, batch_size=8, seed=1)


def new_network(n_outputs: int = 3) -> AdaptedNetwork:
    return AdaptedNetwork(load_model(SOURCE), width=16, n_outputs=n_outputs)


def examples(n: int, seed: int, task: str = "classification") -> Examples:
    """Stripes of three widths with noise."""
    generator = np.random.default_rng(seed)
    classes = np.arange(n) % 3
    ramp = np.sin(np.arange(8)[None, None, :] * (classes[:, None, None] + 1))
    images = ramp + 0.5 * generator.normal(size=(n, 8, 8))
    targets = torch.from_numpy(classes).long()
    if task == "regression":
        targets = torch.from_numpy(classes - 1.0 + 0.1 * generator.normal(size=n)).float()
    return Examples(torch.from_numpy(images[:, None]).float(), targets)


DATA, FRESH = examples(48, 0), examples(60, 1)
