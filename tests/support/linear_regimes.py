"""Linear networks whose fine-tuning is solved exactly or to convergence: what the map of regimes is tested on."""

import math
from dataclasses import dataclass

import numpy as np

from carryover.theory.interpolation import interpolate
from carryover.theory.networks import DiagonalWeights, Network
from carryover.theory.potentials import HyperbolicEntropy


@dataclass(frozen=True)
class Problem:
    """Inputs (n, d) with targets, probe inputs (m, d), pretraining coefficients (d,) and a reordering of them."""

    inputs: np.ndarray
    targets: np.ndarray
    probes: np.ndarray
    pretrained: np.ndarray
    shuffled: np.ndarray


@dataclass(frozen=True)
class Run:
    """End-to-end coefficients (d,) and tangent kernels on the probes before and after."""

    coefficients: np.ndarray
    before: np.ndarray
    after: np.ndarray


def sparse_problem(
    seed: int, *, d: int = 200, n: int = 60, shared: int = 20, new: int = 0, probes: int = 200
) -> Problem:
    """40 of 200 coefficients pretrained to 1; the task has +-1 on ``shared`` of them and ``new`` others."""
    generator = np.random.default_rng(seed)
    pretrained = (generator.permutation(d) < d // 5).astype(np.float64)
    truth = np.zeros(d)
    for where, size in ((pretrained == 1.0, shared), (pretrained == 0.0, new)):
        chosen = generator.choice(np.flatnonzero(where), size, replace=False)
        truth[chosen] = generator.choice([-1.0, 1.0], size)
    inputs, probes = (generator.normal(size=(m, d)) / math.sqrt(d) for m in (n, probes))
    return Problem(inputs, inputs @ truth, probes, pretrained, generator.permutation(pretrained))


def diagonal_run(problem: Problem, network: Network, pretrained: np.ndarray) -> Run:
    """The exact end of gradient flow (Theorem 4.1), and the weights it ends with by its conserved quantities."""
    sqrt_k = network.sqrt_k(pretrained)
    found = interpolate(problem.inputs, problem.targets, HyperbolicEntropy(sqrt_k)).raise_if_failed()
    start = network.finetuning_start(pretrained)
    end = start.moved(np.arcsinh(2.0 * found / sqrt_k) / 2.0)
    np.testing.assert_allclose(end.coefficients, found, atol=1e-8)
    return Run(found, _diagonal_kernel(start, problem.probes), _diagonal_kernel(end, problem.probes))


def _diagonal_kernel(weights: DiagonalWeights, probes: np.ndarray) -> np.ndarray:
    """Squares of the gradient of beta by the four weights of a coordinate, summed."""
    parts = (weights.w_plus, weights.v_plus, weights.w_minus, weights.v_minus)
    return (probes * sum(part**2 for part in parts)) @ probes.T


def dense_run(
    problem: Problem, layers: list[np.ndarray], *, rate: float, most: int = 400_000, tolerance: float = 1e-9
) -> Run:
    """Gradient descent on ||X W_1' ... W_L' - y||^2 / 2 with small steps until it interpolates."""
    layers = [layer.copy() for layer in layers]
    before = dense_kernel(layers, problem.probes)
    size = np.linalg.norm(problem.targets)
    for _ in range(most):
        product = _product(layers)
        residual = problem.inputs @ product[0] - problem.targets
        if np.linalg.norm(residual) < tolerance * size:
            break
        slope = problem.inputs.T @ residual
        gradients = [np.outer(left, right @ slope) for left, right in _around(layers)]
        for layer, gradient in zip(layers, gradients, strict=True):
            layer -= rate * gradient
    else:
        raise AssertionError("gradient descent did not interpolate")
    return Run(_product(layers)[0], before, dense_kernel(layers, problem.probes))


def dense_kernel(layers: list[np.ndarray], probes: np.ndarray) -> np.ndarray:
    """sum_l (|W_L ... W_{l+1}|^2) (X A_l')(X A_l')', A_l = W_{l-1} ... W_1."""
    total = np.zeros((len(probes), len(probes)))
    for left, right in _around(layers):
        inner = probes @ right.T
        total += (left @ left) * inner @ inner.T
    return total


def _product(layers: list[np.ndarray]) -> np.ndarray:
    product = layers[0]
    for layer in layers[1:]:
        product = layer @ product
    return product


def _around(layers: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each layer, what stands after it (a vector) and before it (a matrix)."""
    pairs = []
    for place in range(len(layers)):
        right = np.eye(layers[0].shape[1])
        for layer in layers[:place]:
            right = layer @ right
        left = np.ones((1, 1))
        for layer in reversed(layers[place + 1 :]):
            left = left @ layer
        pairs.append((left[0], right))
    return pairs


def deep_diagonal_run(
    problem: Problem,
    first: np.ndarray,
    *,
    scale: float,
    rate: float,
    layers: int = 3,
    tolerance: float = 1e-3,
) -> Run:
    """beta = prod_l u_l - prod_l v_l from u_1 = v_1 = scale first and scale in all other layers."""
    others = [np.full_like(first, scale) for _ in range(layers - 1)]
    sides = [[scale * first, *others], [scale * first, *(one.copy() for one in others)]]
    sides[0] = [one.copy() for one in sides[0]]
    before = _deep_kernel(sides, problem.probes)
    size = np.linalg.norm(problem.targets)
    for _ in range(50_000):
        coefficients = np.prod(sides[0], axis=0) - np.prod(sides[1], axis=0)
        residual = problem.inputs @ coefficients - problem.targets
        if np.linalg.norm(residual) < tolerance * size:
            return Run(coefficients, before, _deep_kernel(sides, problem.probes))
        slope = problem.inputs.T @ residual
        for sign, side in zip((1.0, -1.0), sides, strict=True):
            for layer, gradient in zip(side, [sign * slope * rest for rest in _others(side)], strict=True):
                layer -= rate * gradient
    raise AssertionError("gradient descent did not interpolate")


def _others(side: list[np.ndarray]) -> list[np.ndarray]:
    """For each layer, the product of the rest."""
    return [np.prod(side[:place] + side[place + 1 :], axis=0) for place in range(len(side))]


def _deep_kernel(sides: list[list[np.ndarray]], probes: np.ndarray) -> np.ndarray:
    squares = sum(rest**2 for side in sides for rest in _others(side))
    return (probes * squares) @ probes.T
