"""Generators derived from a root seed and names, so that results depend on neither order nor workers."""

import hashlib

import numpy as np


def derive_seed(root_seed: int, *names: str | int) -> int:
    """A 64-bit seed that is a pure function of the root seed and the names.

    >>> derive_seed(0, "probe", "resnet") == derive_seed(0, "probe", "resnet")
    True
    >>> derive_seed(0, "probe", "resnet") == derive_seed(0, "probe", "vit")
    False
    """
    text = "\x1f".join([str(int(root_seed)), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def derive_generator(root_seed: int, *names: str | int) -> np.random.Generator:
    """A NumPy generator seeded by :func:`derive_seed`."""
    return np.random.default_rng(derive_seed(root_seed, *names))
