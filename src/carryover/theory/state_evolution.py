"""The same unknowns along approximate message passing, and the algorithm itself at finite size: an independent check.

Approximate message passing estimates beta by the prox of g q_k at r = beta + X^T z / alpha, the residual z corrected so
that r is distributed like the teacher plus Gaussian noise of variance s^2.  State evolution follows (s^2, g):

    s^2 <- (sigma_0^2 + E(xhat - X)^2) / alpha,      g <- (t + g E[d xhat / d z]) / alpha,

whose fixed point is that of the replica equations.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from carryover._core.errors import InputError
from carryover.theory.averages import averages
from carryover.theory.checks import check_number, check_samples
from carryover.theory.finetuning import FineTuning
from carryover.theory.potentials import HyperbolicEntropy
from carryover.theory.replica import Problems


@dataclass(frozen=True)
class Trajectory:
    """Step by step (steps,): effective noise s^2 and regularisation g before the step, the error after it."""

    effective_noise: Float[np.ndarray, " steps"]
    effective_regularization: Float[np.ndarray, " steps"]
    generalization_error: Float[np.ndarray, " steps"]


def state_evolution(
    model: FineTuning, alpha: float, *, steps: int = 100, regularization: float | None = None
) -> Trajectory:
    """State evolution of one task from beta = 0 with g = ``regularization`` (by default the mean potential's scale).

    ``alpha`` in (0, 1), or above without bound where the model has a ridge strength.
    """
    problem = _single(model, alpha)
    noise_variance = float(problem.noise_variance[0])
    signal = float(problem.sum(problem.cells.mean**2 + problem.cells.variance)[0])
    start = np.sinh(problem.cells.origin) * problem.cells.sqrt_k / 2.0
    if start.any():
        raise InputError("state evolution starts from beta = 0: give a network with protocol='symmetrized'")
    noise = (noise_variance + signal) / alpha
    strength = starting_regularization(model, alpha) if regularization is None else float(regularization)
    rows = []
    ones = np.ones(len(problem.owner))
    for _ in range(steps):
        found = averages(problem.cells, noise * ones, strength * ones)
        error, response = float(problem.sum(found.error)[0]), float(problem.sum(found.response)[0])
        rows.append((noise, strength, error))
        noise = (noise_variance + error) / alpha
        strength = (model.ridge_strength + strength * response) / alpha
    return Trajectory(*np.array(rows).T)


def starting_regularization(model: FineTuning, alpha: float) -> float:
    """The g that both state evolution and message passing start from: E sqrt(k + 4 E X^2) max(1 / alpha - 1, .05)."""
    problem = _single(model, alpha)
    cells = problem.cells
    width = float(problem.sum(np.hypot(cells.sqrt_k, 2.0 * np.sqrt(cells.mean**2 + cells.variance)))[0])
    return width * max(1.0 / alpha - 1.0, 0.05) + model.ridge_strength / alpha


def _single(model: FineTuning, alpha: float) -> Problems:
    value = check_number("alpha", alpha, 0.0, np.inf, open_low=True)
    problems = model.problems(np.array(value))
    if len(problems.alpha) != 1:
        raise InputError("state evolution follows one task and one network, got arrays")
    if value >= 1.0 and model.ridge_strength == 0.0:
        raise InputError(f"alpha must lie in (0, 1) without ridge_strength, got {value:g}")
    return problems


def message_passing(
    features: Float[np.ndarray, "n d"],
    labels: Float[np.ndarray, " n"],
    potential: HyperbolicEntropy,
    *,
    regularization: float,
    strength: float = 0.0,
    steps: int = 100,
    teacher: Float[np.ndarray, " d"] | None = None,
) -> tuple[Float[np.ndarray, " d"], Trajectory]:
    """Approximate message passing on one task from beta = 0; x ~ N(0, I / d).

    Returns the last estimate and its trajectory: s^2 as measured (||z||^2 / (n alpha)), g, and the error against
    ``teacher`` (NaN without one).
    """
    features, labels = check_samples(features, labels)
    check_number("regularization", regularization, 0.0, np.inf, open_low=True)
    n, d = features.shape
    alpha = n / d
    beta, residual, g = np.zeros(d), labels.copy(), float(regularization)
    rows = []
    for _ in range(steps):
        noise = float(residual @ residual) / n / alpha
        observed = beta + features.T @ residual / alpha
        beta = potential.prox(observed, g)
        response = float(np.mean(1.0 / (1.0 + g * potential.curvature(beta))))
        residual = labels - features @ beta + residual * (response / alpha)
        error = np.nan if teacher is None else float(np.mean((beta - teacher) ** 2))
        rows.append((noise, g, error))
        g = (strength + g * response) / alpha
    return beta, Trajectory(*np.array(rows).T)
