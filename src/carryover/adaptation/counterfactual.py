"""The same network without what pretraining put into it: weights of the same sizes, in another order."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from carryover._core.seeding import derive_seed
from carryover.adaptation.network import BATCH_NORMS, AdaptedNetwork

_BATCH = 256


@torch.no_grad()
def shuffle_pretraining(network: AdaptedNetwork, images: Tensor, *, seed: int) -> list[str]:
    """Permute the entries of every encoder parameter with two or more dimensions, in place; their names.

    Each keeps its norm and the distribution of its entries, so the scales that training depends on stay, and only
    their arrangement is lost.  Biases and the factors of norms stay.  The statistics of batch norms are taken anew from
    ``images`` (n, c, h, w), for those of pretraining belong to other activations.
    """
    changed = []
    for name, weight in network.encoder.named_parameters():
        if weight.ndim < 2:
            continue
        generator = torch.Generator().manual_seed(derive_seed(seed, "shuffled", name) % 2**63)
        order = torch.randperm(weight.numel(), generator=generator).to(weight.device)
        weight.copy_(weight.flatten()[order].view_as(weight))
        changed.append(f"encoder.{name}")
    _renew_statistics(network, images)
    return changed


def _renew_statistics(network: AdaptedNetwork, images: Tensor) -> None:
    layers = [layer for layer in network.encoder.modules() if isinstance(layer, BATCH_NORMS)]
    if not layers:
        return
    with _plain_averages(layers):
        for batch in images.split(_BATCH):
            network.features(batch)


@contextmanager
def _plain_averages(layers: list[nn.Module]) -> Iterator[None]:
    """These layers in training mode, starting their statistics again as plain means over batches."""
    kept = [(layer, layer.momentum, layer.training) for layer in layers]
    for layer in layers:
        if layer.running_mean is not None:
            layer.reset_running_stats()
        layer.momentum = None
        layer.train()
    try:
        yield
    finally:
        for layer, momentum, training in kept:
            layer.momentum = momentum
            layer.train(training)
