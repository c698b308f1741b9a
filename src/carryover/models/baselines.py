"""Representations that need no checkpoint: what a pretrained network has to beat."""

import hashlib
from collections.abc import Callable, Mapping

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import Tensor, nn

from carryover._core.errors import InputError, did_you_mean
from carryover._core.seeding import derive_generator
from carryover.models.backbones import RandomConvolution, random_convolution
from carryover.models.features import ImageSource
from carryover.models.preprocessing import Preprocessing
from carryover.models.readout import FeatureFunction, flatten_positions
from carryover.models.records import LoadedModel
from carryover.models.weights import hash_weights

MAX_SIDE = 32
"""Larger images are resized to this side: beyond it, pixels and their covariance grow without telling more."""

MAX_COMPONENTS = 128
MAX_IMAGES_FOR_PCA = 5000
N_FILTERS = 128


class _Pixels(nn.Module):
    """Images flattened, in the order channel, row, column."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)


class _Projection(nn.Module):
    """(x - mean) projected on orthonormal rows."""

    def __init__(self, mean: Tensor, components: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("components", components)

    def forward(self, x: Tensor) -> Tensor:
        return (x.flatten(1) - self.mean) @ self.components.T


def pixels(name: str, images: ImageSource, *, seed: int) -> LoadedModel:
    """Pixel values in [0, 1], flattened.  ``seed`` is not used."""
    words = "the pixel values in [0, 1]"
    return _assemble(name, "pixels", module=_Pixels(), preprocessing=_preprocessing(images), words=words)


def pca(name: str, images: ImageSource, *, seed: int) -> LoadedModel:
    """Principal components of the pixels: min(128, images, pixels) of them, fitted on ``images`` without labels.

    Beyond 5,000 images a subset drawn from ``seed`` is used; beyond 500 pixels the components come from a
    randomised decomposition (Halko, Martinsson and Tropp 2011), also drawn from ``seed``.
    Raises InputError where no two images differ.
    """
    generator = derive_generator(seed, "baseline", "pca")
    preprocessing = _preprocessing(images)
    values = _flat_pixels(images, preprocessing, generator)
    if not np.ptp(values, axis=0).any():
        raise InputError(
            f"model {name!r}: PCA needs images that differ, and the {len(values)} given are all the same"
        )
    n_components = min(MAX_COMPONENTS, *values.shape)
    fitted = PCA(n_components, random_state=int(generator.integers(2**31))).fit(values)
    mean, components = (
        torch.from_numpy(part.astype(np.float32)) for part in (fitted.mean_, fitted.components_)
    )
    return _assemble(
        name,
        "PCA",
        module=_Projection(mean, components),
        preprocessing=preprocessing,
        words=f"the first {n_components} principal components of the pixels, fitted on {len(values):,} of the "
        f"{len(images):,} target images given for it, without labels",
    )


def random_filters(name: str, images: ImageSource, *, seed: int) -> LoadedModel:
    """Responses of 128 random filters, rectified and averaged on a 2 x 2 grid, drawn from ``seed``."""
    preprocessing = _preprocessing(images)
    first = images.read(0, 1)
    size = min(5, *(preprocessing.image_size or first.shape[1:3]))
    module = random_convolution(seed=seed, channels=first.shape[3], n_filters=N_FILTERS, size=size)
    words = f"{N_FILTERS} random {size}x{size} filters (seed {seed}), rectified, averaged on a 2x2 grid"
    return _assemble(
        name, RandomConvolution.__name__, module=module, preprocessing=preprocessing, words=words
    )


Baseline = Callable[..., LoadedModel]

BASELINES: Mapping[str, Baseline] = {"pixels": pixels, "pca": pca, "random_convolution": random_filters}
"""What ``baseline = "..."`` in a configuration may say."""


def load_baseline(name: str, baseline: str, images: ImageSource, *, seed: int = 0) -> LoadedModel:
    """The baseline as a model called ``name``, fitted where it must be on ``images`` (training images, no labels).

    Raises InputError for an unknown baseline, or where there is no image.
    """
    if baseline not in BASELINES:
        raise InputError(f"model {name!r}: no baseline {baseline!r}; {did_you_mean(baseline, BASELINES)}")
    if len(images) == 0:
        raise InputError(f"model {name!r}: baseline {baseline!r} needs at least one image")
    return BASELINES[baseline](name, images, seed=seed)


def _preprocessing(images: ImageSource) -> Preprocessing:
    height, width = images.read(0, 1).shape[1:3]
    longest = max(height, width)
    if longest <= MAX_SIDE:
        return Preprocessing()
    scaled = (max(1, round(side * MAX_SIDE / longest)) for side in (height, width))
    return Preprocessing(image_size=tuple(scaled))


def _flat_pixels(
    images: ImageSource, preprocessing: Preprocessing, generator: np.random.Generator
) -> np.ndarray:
    """Flattened pixels, float64 (at most MAX_IMAGES_FOR_PCA, d), read in blocks."""
    n = len(images)
    chosen = np.sort(generator.choice(n, size=min(n, MAX_IMAGES_FOR_PCA), replace=False))
    parts = []
    for start in range(0, n, 1024):
        inside = chosen[(chosen >= start) & (chosen < start + 1024)] - start
        if len(inside):
            block = images.read(start, min(start + 1024, n))[inside]
            parts.append(preprocessing.apply(block).flatten(1).numpy())
    return np.concatenate(parts).astype(np.float64)


def _assemble(
    name: str, title: str, *, module: nn.Module, preprocessing: Preprocessing, words: str
) -> LoadedModel:
    module.eval().requires_grad_(False)
    return LoadedModel(
        name=name,
        kind="baseline",
        module=module,
        read_out=FeatureFunction(module, flatten_positions, words),
        preprocessing=preprocessing,
        layer="pooled",
        description=f"Baseline ({title}), not pretrained; the features are {words}.",
        weights_hash=hash_weights(module),
        architecture_hash=hashlib.sha256(f"baseline {title} {module!r} {words}".encode()).hexdigest(),
        n_parameters=0,
    )
