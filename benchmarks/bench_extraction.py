"""Streamed feature extraction beside the bare forward pass over tensors already in memory, in one run."""

import io
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from harness import Row, interleaved, seconds
from PIL import Image

from carryover.models.features import ImageSource, extract_features
from carryover.models.loading import LoadedModel, ModelSource, load_model

BATCH = 256
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class PixelsInMemory:
    """uint8 images that need no decoding."""

    content_hash = "benchmark"

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels

    def __len__(self) -> int:
        return len(self.pixels)

    def read(self, start: int, stop: int) -> np.ndarray:
        return self.pixels[start:stop]


class EncodedInMemory:
    """The same images as PNG files in memory, decoded on reading."""

    content_hash = "benchmark-png"

    def __init__(self, pixels: np.ndarray) -> None:
        self.files = [_encode(image) for image in pixels]

    def __len__(self) -> int:
        return len(self.files)

    def read(self, start: int, stop: int) -> np.ndarray:
        return np.stack([np.asarray(Image.open(io.BytesIO(file))) for file in self.files[start:stop]])


def _encode(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, format="PNG")
    return file.getvalue()


def _resnet20() -> LoadedModel:
    factory = "carryover.models.backbones:cifar_resnet20"
    return load_model(ModelSource("ResNet-20", factory=factory, mean=MEAN, std=STD))


def _vit_tiny(folder: Path) -> LoadedModel:
    from transformers import ViTConfig, ViTForImageClassification
    from transformers.utils import logging

    config = ViTConfig(
        hidden_size=192,
        num_hidden_layers=12,
        num_attention_heads=3,
        intermediate_size=768,
        image_size=32,
        patch_size=4,
        num_labels=10,
    )
    logging.disable_progress_bar()
    ViTForImageClassification(config).save_pretrained(folder)
    return load_model(ModelSource("ViT-Tiny", path=folder, mean=MEAN, std=STD))


def _compare(model: LoadedModel, pixels: np.ndarray, folder: Path, *, repeats: int) -> Row:
    """Throughput of extraction over that of the bare pass, both in the memory layout that extraction uses."""
    images = PixelsInMemory(pixels)
    tensors = model.preprocessing.apply(pixels)

    def bare() -> None:
        with torch.inference_mode():
            for start in range(0, len(tensors), BATCH):
                model.module(tensors[start : start + BATCH])

    bare_seconds, extraction_seconds, ratio = interleaved(
        bare, lambda: _extract(model, images, folder), repeats
    )
    rates = [len(pixels) / taken for taken in (extraction_seconds, bare_seconds)]
    return Row(
        f"extraction / bare forward pass, {model.name}, {len(pixels)} images of 32x32, cache written",
        ratio,
        "x throughput",
        ">= .95",
        ratio >= 0.95,
        f"{rates[0]:.0f} and {rates[1]:.0f} images/s",
    )


def _extract(model: LoadedModel, images: ImageSource, folder: Path) -> None:
    extract_features(model, images, cache_dir=folder, batch_size=BATCH, overwrite=True)


def _decoding(model: LoadedModel, pixels: np.ndarray, folder: Path) -> Row:
    images = EncodedInMemory(pixels)
    taken = sorted(seconds(lambda: _extract(model, images, folder)) for _ in range(3))[1]
    work = f"extraction, {model.name}, PNG images of 32x32 decoded on the way"
    return Row(work, len(pixels) / taken, "images/s", "", None, f"{len(pixels)} images, median of 3")


def rows() -> Iterable[Row]:
    """Two comparisons with a target and one rate without."""
    pixels = np.random.default_rng(0).integers(0, 256, (2048, 32, 32, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        resnet = _resnet20()
        yield _compare(resnet, pixels, folder, repeats=7)
        yield _compare(_vit_tiny(folder / "vit"), pixels[:512], folder, repeats=5)
        yield _decoding(resnet, pixels, folder)
