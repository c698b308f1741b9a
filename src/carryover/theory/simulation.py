"""Finite tasks: draw coefficients, inputs and labels, and solve for the exact fine-tuned coefficients.

The independent check of the replica equations: no average over anything but the drawn tasks.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import t as student_t

from carryover._core.errors import InputError
from carryover._core.results import Estimate
from carryover._core.seeding import derive_generator
from carryover.theory.checks import check_number
from carryover.theory.finetuning import FineTuning
from carryover.theory.interpolation import interpolate, ridge_fit
from carryover.theory.potentials import HyperbolicEntropy


@dataclass(frozen=True)
class DrawnTask:
    """One finite task: inputs X (n, d), labels y (n,), the teacher (d,), pretraining's target (d,), groups (d,)."""

    features: Float[np.ndarray, "n d"]
    labels: Float[np.ndarray, " n"]
    teacher: Float[np.ndarray, " d"]
    pretraining: Float[np.ndarray, " d"]
    group: np.ndarray


@dataclass(frozen=True)
class Simulation:
    """Errors of all seeds (seeds,), NaN where a seed failed (``reason`` then says why), and their mean."""

    alpha: float
    errors: Float[np.ndarray, " seeds"]
    estimate: Estimate
    reason: str | None = None


def draw_task(model: FineTuning, alpha: float, dimension: int, generator: np.random.Generator) -> DrawnTask:
    """A task of ``dimension`` coordinates and round(alpha dimension) samples, x ~ N(0, I / d).

    Groups have their shares up to rounding.  Raises InputError for a task or a network of arrays.
    """
    mixture = model.task.mixture
    if mixture.share.ndim > 1 or np.ndim(model.task.label_noise_std) or model.network.sqrt_k(0.0).ndim:
        raise InputError("a simulation needs a task and a network of single numbers, got arrays")
    counts = np.diff(np.concatenate([[0], np.round(np.cumsum(mixture.share) * dimension)])).astype(int)
    group = np.repeat(np.arange(len(counts)), counts)
    teacher = mixture.mean[group] + np.sqrt(mixture.variance[group]) * generator.normal(size=dimension)
    features, labels = _observe(teacher, alpha, float(model.task.label_noise_std), generator)
    return DrawnTask(features, labels, teacher, mixture.pretraining[group], group)


def _observe(
    teacher: np.ndarray, alpha: float, noise_std: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    d = len(teacher)
    n = max(1, round(alpha * d))
    features = generator.normal(size=(n, d)) / np.sqrt(d)
    return features, features @ teacher + noise_std * generator.normal(size=n)


def solve_task(model: FineTuning, task: DrawnTask, generator: np.random.Generator) -> Float[np.ndarray, " d"]:
    """The fine-tuned coefficients; least squares from n = d on.  Raises NotComputedError where the solver fails."""
    learned = task.pretraining
    if model.pretraining_alpha < 1.0:
        seen, values = _observe(task.pretraining, model.pretraining_alpha, 0.0, generator)
        learned = interpolate(
            seen, values, HyperbolicEntropy(2.0 * float(model.network.scale))
        ).raise_if_failed()
    potential = HyperbolicEntropy(model.network.sqrt_k(learned), model.network.start(learned))
    if model.ridge_strength > 0.0:
        return ridge_fit(
            task.features, task.labels, potential, strength=model.ridge_strength
        ).raise_if_failed()
    n, d = task.features.shape
    if n >= d:
        return np.linalg.lstsq(task.features, task.labels, rcond=None)[0]
    return interpolate(task.features, task.labels, potential).raise_if_failed()


def simulate(
    model: FineTuning,
    alpha: float,
    *,
    dimension: int = 1000,
    seeds: int = 16,
    seed: int = 0,
    progress: Callable[[], None] = lambda: None,
) -> Simulation:
    """The mean error over ``seeds`` finite tasks, its standard error and a 95 % interval, beside ``predict``.

    Seeds derive from ``seed`` and their number, whatever the order.  The prediction is for d to infinity; at finite
    d the two differ by a term that shrinks as d grows.
    """
    check_number("alpha", alpha, 0.0, np.inf, open_low=True)
    if dimension < 2 or seeds < 1:
        raise InputError(f"dimension must be >= 2 and seeds >= 1, got {dimension} and {seeds}")
    errors, reason = np.full(seeds, np.nan), None
    for index in range(seeds):
        generator = derive_generator(seed, "theory", "simulate", str(index))
        task = draw_task(model, alpha, dimension, generator)
        try:
            found = solve_task(model, task, generator)
            errors[index] = np.mean((found - task.teacher) ** 2)
        except ArithmeticError as error:
            reason = f"seed {index}: {error}"
        progress()
    return Simulation(float(alpha), errors, _mean(errors, reason), reason)


def _mean(errors: np.ndarray, reason: str | None) -> Estimate:
    if reason is not None:
        return Estimate.missing("failed", reason)
    n = len(errors)
    mean = float(errors.mean())
    if n < 2:
        return Estimate(mean, n_samples=n)
    std_error = float(errors.std(ddof=1)) / np.sqrt(n)
    half = float(student_t.ppf(0.975, n - 1)) * std_error
    return Estimate(mean, std_error, (mean - half, mean + half), n_samples=n)
