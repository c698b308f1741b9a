"""Small grey images with labels, read whole, and disjoint shares of them."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Int, UInt8

from carryover.data.sources import open_dataset


@lru_cache(maxsize=4)
def read_grey(path: str, split: str) -> tuple[UInt8[np.ndarray, "n 28 28"], Int[np.ndarray, " n"]]:
    """Images at 28 x 28 and their labels, kept for the other cells of a worker, so that nobody may write in them.

    Raises InputError for a data set that cannot be read and for images in colour.
    """
    source = open_dataset(path, split=split)
    images = source.images(size=28, channels=1)
    found = images.read(0, len(images))[..., 0], np.asarray(source.values(source.label_column()))
    for array in found:
        array.setflags(write=False)
    return found


def shares(n: int, parts: Sequence[float], generator: np.random.Generator) -> list[np.ndarray]:
    """Disjoint random positions among ``n``, by shares that add up to at most 1."""
    ends = np.floor(np.cumsum(parts) * n + 1e-9).astype(int)
    return np.split(generator.permutation(n), ends)[: len(parts)]
