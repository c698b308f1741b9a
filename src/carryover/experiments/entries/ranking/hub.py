"""The candidates of a hub and what each gives for images: features, and its source head's probabilities."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from carryover._core.seeding import derive_seed
from carryover.data.images import ImageColumn
from carryover.experiments.entries.ranking.pretrained import pretrained_encoders
from carryover.experiments.entries.ranking.specs import Hub
from carryover.models.baselines import load_baseline
from carryover.models.loading import ModelSource, load_model
from carryover.models.plain_modules import read_plain_module
from carryover.models.preprocessing import Preprocessing
from carryover.models.records import LoadedModel

SIDE = 32
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # what the checkpoints were trained with
_FACTORY = "carryover.models.backbones:cifar_{}"
_RANDOM = "random resnet20"
_LAYERS: Mapping[str, tuple[str, int]] = {
    "resnet20": ("layer2", 4),
    "resnet56": ("layer3", 4),
    _RANDOM: ("layer3", 4),
}  # by network a layer that, averaged on a grid of so many cells a side, is a candidate beside the pooled features
_PIXELS = Preprocessing(image_size=(16, 16))
_BATCH = 256


@dataclass(frozen=True)
class Candidate:
    """Features (n, d) float32 of the target's images; ``source`` (n, z): probabilities of its source head."""

    name: str
    features: Float[np.ndarray, "n d"]
    source: Float[np.ndarray, "n z"] | None = None


def hub_candidates(hub: Hub, images: ImageColumn, pool: np.ndarray, shared: Path) -> list[Candidate]:
    """Every candidate's features of ``images``, RGB of 32 x 32.

    PCA is fitted to the images ``pool``, without labels.  Encoders are pretrained in ``shared`` by whichever cell
    needs them first.
    """
    return [
        *(one for network in _residual(hub) for one in _with_layer(network, images)),
        *(_pooled(network, images) for network in pretrained_encoders(hub, shared)),
        *(_pooled(network, images) for network in _baselines(images.take(pool), hub.seed)),
    ]


def _residual(hub: Hub) -> Iterator[LoadedModel]:
    """The checkpoints, and a ResNet-20 with random weights."""
    for one in hub.checkpoints:
        factory = _FACTORY.format(one.architecture)
        yield load_model(
            ModelSource(one.architecture, factory=factory, weights=one.weights, mean=_MEAN, std=_STD)
        )
    seed = derive_seed(hub.seed, _RANDOM) % 2**63
    yield load_model(
        ModelSource(_RANDOM, factory=_FACTORY.format("resnet20"), mean=_MEAN, std=_STD, seed=seed)
    )


def _baselines(pool: ImageColumn, seed: int) -> Iterator[LoadedModel]:
    yield replace(load_baseline("pixels", "pixels", pool, seed=seed), preprocessing=_PIXELS)
    yield load_baseline("PCA of pixels", "pca", pool, seed=seed)
    yield load_baseline("random filters", "random_convolution", pool, seed=seed)


@torch.inference_mode()
def _pooled(network: LoadedModel, images: ImageColumn) -> Candidate:
    rows = [network.read_out(pixels).features for pixels in _batches(network, images)]
    return Candidate(network.name, torch.cat(rows).numpy())


@torch.inference_mode()
def _with_layer(network: LoadedModel, images: ImageColumn) -> list[Candidate]:
    """Pooled features with the source head's probabilities, and the network's layer, of one pass."""
    layer, cells = _LAYERS[network.name]
    pooled = read_plain_module(network.module, "pooled", use_head=True)
    readouts, maps = [], []
    with _listening(getattr(network.module, layer), maps.append):
        for pixels in _batches(network, images):
            readouts.append(pooled(pixels))
            maps[-1] = functional.adaptive_avg_pool2d(maps[-1], cells).flatten(1)
    source = torch.softmax(torch.cat([one.logits for one in readouts]).double(), dim=1)
    features = torch.cat([one.features for one in readouts])
    return [
        Candidate(network.name, features.numpy(), source.numpy()),
        Candidate(f"{network.name}, {layer} on {cells} x {cells}", torch.cat(maps).numpy()),
    ]


@contextmanager
def _listening(module: nn.Module, take: Callable[[Tensor], None]) -> Iterator[None]:
    """While it is open, ``take`` is given what the module puts out."""
    handle = module.register_forward_hook(lambda _, __, output: take(output))
    try:
        yield
    finally:
        handle.remove()


def _batches(network: LoadedModel, images: ImageColumn) -> Iterator[Tensor]:
    for start in range(0, len(images), _BATCH):
        yield network.preprocessing.apply(images.read(start, start + _BATCH))
