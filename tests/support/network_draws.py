"""A small trained network on finitely many inputs, its spectral bound, and its true loss, a finite sum."""

from dataclasses import dataclass

import numpy as np

from carryover.bounds.capacity import spectral_bound, spectral_complexity


@dataclass(frozen=True)
class Points:
    """Unit vectors ``inputs`` (c, d); ``table`` (c, 2) is P(input, sign), sign -1 in the first column."""

    inputs: np.ndarray
    table: np.ndarray


def random_points(seed, *, n_inputs=8, d=3, certainty=0.9):
    """Equally likely inputs; each has one sign with probability ``certainty``."""
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(n_inputs, d))
    table = np.full((n_inputs, 2), 1 - certainty)
    table[np.arange(n_inputs), generator.integers(0, 2, n_inputs)] = certainty
    return Points(inputs / np.linalg.norm(inputs, axis=1, keepdims=True), table / n_inputs)


def _losses(points, first, second):
    """clip(1/2 - sign * output, 0, 1) for each input and sign: 1-Lipschitz in the output."""
    output = np.maximum(points.inputs @ first.T, 0) @ second[0]
    return np.clip(0.5 - np.outer(output, [-1.0, 1.0]), 0.0, 1.0)


def _trained(points, counts, *, steps, rate):
    """One hidden layer of 4 units, by subgradient steps on the training loss from a start fixed in advance."""
    generator = np.random.default_rng(1)
    first, second = 0.3 * generator.normal(size=(4, points.inputs.shape[1])), 0.1 * np.ones((1, 4))
    start = [first, second]
    weights = counts / counts.sum()
    for _ in range(steps):
        hidden = np.maximum(points.inputs @ first.T, 0)
        losses = _losses(points, first, second)
        signed = (weights * ((losses > 0) & (losses < 1))) @ np.array([1.0, -1.0])
        to_second, to_hidden = signed @ hidden, np.outer(signed, second[0]) * (hidden > 0)
        first, second = first - rate * to_hidden.T @ points.inputs, second - rate * to_second
    return start, [first, second]


def spectral_draw(generator, *, points, n, steps=20, rate=0.3):
    """The bound on the loss of a network that these n examples trained, beside its true loss."""
    counts = generator.multinomial(n, points.table.ravel()).reshape(points.table.shape)
    start, weights = _trained(points, counts, steps=steps, rate=rate)
    losses = _losses(points, *weights)
    bound = spectral_bound(
        spectral_complexity(weights, references=start),
        np.repeat(losses.ravel(), counts.ravel()),
        input_norm=float(np.sqrt(n)),
        lipschitz=1.0,
        references_fixed=True,
    )
    return bound, float((points.table * losses).sum())
