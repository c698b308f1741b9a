"""Features whose class means are apart by a known amount."""

import numpy as np


def planted(
    n: int, d: int, *, strength: float, seed: int = 0, n_classes: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """Features whose class means are ``strength`` apart, and their labels, every class as often."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % n_classes
    means = np.random.default_rng(99).normal(size=(n_classes, d)) * strength
    return (means[labels] + rng.normal(size=(n, d))).astype(np.float32), labels
