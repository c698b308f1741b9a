"""The four typical networks of the theory's regimes, and small random problems."""

import numpy as np

from carryover.theory import Network

NETWORKS = {
    "I": Network(1e-3, -0.999999, 1e-6),
    "II": Network(1e-3, 0.0, 0.0),
    "III": Network(1e-3, 0.0, 10.0),
    "IV": Network(1e-3, -0.99, 0.0),
}


def small_problem(n: int, d: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """X (n, d) with rows of about unit length, and y (n,) of a sparse teacher."""
    generator = np.random.default_rng([seed, n, d])
    features = generator.normal(size=(n, d)) / np.sqrt(d)
    teacher = np.where(generator.random(d) < 0.4, generator.normal(size=d), 0.0)
    teacher[0] = 1.0
    return features, features @ teacher


def sparse_goal(d: int, seed: int) -> np.ndarray:
    """Pretraining's coefficients: 1 or -1 on the first half of d coordinates, 0 elsewhere."""
    generator = np.random.default_rng([seed, d])
    return np.where(np.arange(d) < d // 2, generator.choice([-1.0, 1.0], d), 0.0)
