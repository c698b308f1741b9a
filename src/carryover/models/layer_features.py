"""What every layer of a network gives for a batch of images: its output, averaged over positions."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from carryover._core.errors import InputError
from carryover.models.readout import average_positions

_WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


@torch.no_grad()
def layer_features(
    module: nn.Module, run: Callable[[Tensor], object], images: Tensor, *, batch_size: int = 256
) -> dict[str, np.ndarray]:
    """By name, the features (n, width) of each linear or convolutional layer of ``module``, in the order they run.

    ``run`` is called with batches of ``images`` (n, ...) and must run the module; a layer that runs several times
    counts by its last call, and one that does not run, or whose output has no place for a mean, is left out.
    float64 on the processor.
    """
    names = {layer: name for name, layer in module.named_modules() if isinstance(layer, _WEIGHTED)}
    found: dict[str, list[np.ndarray]] = {}
    for batch in images.split(batch_size):
        for name, rows in _of_batch(names, run, batch).items():
            found.setdefault(name, []).append(rows)
    whole = {name: np.concatenate(blocks) for name, blocks in found.items()}
    return {name: rows for name, rows in whole.items() if len(rows) == len(images)}


def _of_batch(
    names: dict[nn.Module, str], run: Callable[[Tensor], object], batch: Tensor
) -> dict[str, np.ndarray]:
    seen: dict[str, np.ndarray] = {}

    def keep(layer: nn.Module, _: object, output: object) -> None:
        try:
            rows = average_positions(output)
        except InputError:
            return
        if len(rows) == len(batch):
            seen[names[layer]] = rows.double().cpu().numpy()

    handles = [layer.register_forward_hook(keep) for layer in names]
    try:
        run(batch)
    finally:
        for handle in handles:
            handle.remove()
    return seen
