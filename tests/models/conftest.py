"""Image sources and small networks that the tests of this folder share."""

import hashlib
from collections.abc import Callable

import numpy as np
import pytest


class ArrayImages:
    """Images in memory that count how often each was read."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels
        self.content_hash = hashlib.sha256(pixels.tobytes() + str(pixels.shape).encode()).hexdigest()
        self.n_read = 0

    def __len__(self) -> int:
        return len(self.pixels)

    def read(self, start: int, stop: int) -> np.ndarray:
        self.n_read += stop - start
        return self.pixels[start:stop]


@pytest.fixture
def make_images() -> Callable[..., ArrayImages]:
    """Random uint8 images of a given shape."""

    def make(n: int, *shape: int, seed: int = 0) -> ArrayImages:
        generator = np.random.default_rng(seed)
        return ArrayImages(generator.integers(0, 256, (n, *(shape or (8, 8, 3))), dtype=np.uint8))

    return make


@pytest.fixture
def save(tmp_path):
    """Save a network as transformers does, and give the folder."""

    def save_network(network):
        folder = tmp_path / "checkpoint"
        network.eval().save_pretrained(folder)
        return folder

    return save_network
