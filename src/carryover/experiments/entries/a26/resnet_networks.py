"""Residual networks whose weights are multiplied: with batch norms, and without, where every scale counts.

Behind a batch norm the scale of a convolution says nothing about the function.  The network "without" has a
bias in the place of each batch norm, and the second convolution of every residual block starts divided by the
square root of the number of blocks, so that the signal grows by less than a factor e in variance however many
there are.
"""

import hashlib
import math

import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from carryover.adaptation.network import AdaptedNetwork
from carryover.adaptation.phases import Examples
from carryover.experiments.entries.a26.resnet_spec import NetworkSpec
from carryover.models.encoders import ResNetEncoder
from carryover.models.plain_modules import read_plain_module
from carryover.models.preprocessing import Preprocessing
from carryover.models.records import LoadedModel
from carryover.models.seeding import seeded_torch
from carryover.models.weights import hash_weights

_STAGES = 3
_SETTLED = 2048
_PAIRS = (("conv1", "bn1"), ("conv2", "bn2"))


def new_network(
    spec: NetworkSpec, *, n_outputs: int, seed: int, head_seed: int | None = None, device: str = "cpu"
) -> AdaptedNetwork:
    """Random weights from ``seed``, and a random head (torch's own start of a linear layer, biases 0) from
    ``head_seed``, by default the same.  Batch norms are trained on the statistics of their batches."""
    with seeded_torch(seed):
        encoder = ResNetEncoder(spec.blocks_per_stage, channels=3, width=spec.width)
    if not spec.normalized:
        _without_norms(encoder, n_blocks=_STAGES * spec.blocks_per_stage)
    encoder.to(memory_format=torch.channels_last)
    network = AdaptedNetwork(_as_model(encoder), width=spec.width, n_outputs=n_outputs)
    with seeded_torch(seed if head_seed is None else head_seed):
        head = nn.Linear(spec.width, n_outputs)
    network.set_head(head.weight, torch.zeros(n_outputs))
    network.batch_norm = "train"
    return network.to(device)


@torch.no_grad()
def _without_norms(encoder: nn.Module, *, n_blocks: int) -> None:
    """Every batch norm becomes a bias of the convolution before it, in place."""
    for layer in encoder.modules():
        for convolution, norm in _PAIRS:
            if hasattr(layer, norm):
                own = getattr(layer, convolution)
                own.bias = nn.Parameter(torch.zeros(own.out_channels))
                setattr(layer, norm, nn.Identity())
        if hasattr(layer, "conv2"):
            layer.conv2.weight.div_(math.sqrt(n_blocks))


def _as_model(encoder: nn.Module) -> LoadedModel:
    """The record that an adapted network is made of."""
    return LoadedModel(
        name="residual network",
        kind="factory",
        module=encoder,
        read_out=read_plain_module(encoder, "pooled", use_head=False),
        preprocessing=Preprocessing(),
        layer="pooled",
        description="A CIFAR residual network.",
        weights_hash=hash_weights(encoder),
        architecture_hash=hashlib.sha256(repr(encoder).encode()).hexdigest(),
        n_parameters=sum(weight.numel() for weight in encoder.parameters()),
    )


def settle_norms(network: AdaptedNetwork, data: Examples, *, batch_size: int) -> None:
    """Batch norms take the mean statistics of some batches, so that random weights are measured as trained
    ones are; nothing happens where there are no batch norms."""
    update_bn(data.images[:_SETTLED].split(batch_size), network)
