"""What an encoder gives for every patch of an image, beside what it gives for the whole."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from carryover._core.errors import InputError
from carryover.models.readout import FeatureFunction
from carryover.objectives.base import Objective
from carryover.objectives.mae import MaskedAutoencoder

_BATCH = 256


@dataclass(frozen=True)
class ImageFeatures:
    """``patches`` (n, grid * grid, d), rows first, and ``pooled`` (n, w): what ``objective.encode`` gives."""

    patches: Float[np.ndarray, "n p d"]
    pooled: Float[np.ndarray, "n w"]


@torch.no_grad()
def image_features(objective: Objective, images: UInt8[np.ndarray, "n h w"], *, grid: int) -> ImageFeatures:
    """Features of grey images, in evaluation mode; the mode is put back.

    Of a masked autoencoder the patch tokens after its last norm, none of them hidden; of a convolutional encoder the
    map that it pools, averaged to ``grid`` x ``grid``.  Raises InputError for an encoder that has neither, and for
    tokens on another grid.
    """
    taken = _patch_readout(objective, grid)
    device = next(objective.parameters()).device
    training = objective.training
    objective.eval()
    try:
        parts = [
            taken.run_and_take(torch.from_numpy(part).to(device, torch.float32)[:, None] / 255.0)
            for part in np.split(images, range(_BATCH, len(images), _BATCH))
        ]
    finally:
        objective.train(training)
    pooled = torch.cat([whole for whole, _ in parts])
    patches = torch.cat([_on_grid(values, grid) for _, values in parts])
    return ImageFeatures(*(found.cpu().numpy().astype(np.float64) for found in (patches, pooled)))


def _patch_readout(objective: Objective, grid: int) -> FeatureFunction:
    """Runs the whole encoder and takes what holds one vector for each patch."""
    if isinstance(objective, MaskedAutoencoder):
        if objective.grid != (grid, grid):
            raise InputError(
                f"grid must be that of the encoder's tokens, {objective.grid[0]} x {objective.grid[1]}, got {grid}"
            )
        return FeatureFunction(
            objective.encode, _same, "the patch tokens", watched=objective.model.vit.layernorm
        )
    pool = next((one for one in objective.encoder.modules() if isinstance(one, nn.AdaptiveAvgPool2d)), None)
    if pool is None:
        raise InputError(
            f"{type(objective.encoder).__name__} has no features of patches: take a masked autoencoder or the "
            "encoder 'convolutional'"
        )
    return FeatureFunction(objective.encode, _same, "the map that is pooled", watched=pool, side="input")


def _same(values: Tensor) -> Tensor:
    return values


def _on_grid(values: Tensor, grid: int) -> Tensor:
    """Tokens without the class token, or a map of channels averaged to the grid: (n, grid * grid, d)."""
    if values.ndim == 3:
        return values[:, 1:]
    return functional.adaptive_avg_pool2d(values, grid).flatten(2).transpose(1, 2)
