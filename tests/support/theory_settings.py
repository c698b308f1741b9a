"""Sixty settings on which replica predictions are compared with simulations, and when the two agree.

The grid was laid out before anything was simulated.  ``benchmarks/validate_theory.py`` runs all of it at full size,
``tests/theory/test_simulation_agreement.py`` every fifth setting.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from carryover.theory import FineTuning, Network, Simulation, Task

REGIMES = {
    "I": Network(1e-3, -0.999999, 1e-6),
    "II": Network(1e-3, 0.0, 0.0),
    "III": Network(1e-3, 0.0, 10.0),
    "IV": Network(1e-3, -0.99, 0.0),
}
SMALL = 1e-3
"""Predicted errors below it are compared by their logarithms."""
MOST_DEVIATIONS, MOST_RELATIVE, MOST_LOG = 3.0, 0.05, 0.2


@dataclass(frozen=True)
class Setting:
    """One comparison: a model, its sample ratio, and what it varies, in words."""

    name: str
    model: FineTuning
    alpha: float

    @property
    def predicted(self) -> float:
        return float(self.model.predict(self.alpha).generalization_error)


def _noiseless() -> Iterator[Setting]:
    """Every regime, both laws of the teacher, three overlaps; three alphas in turn."""
    alphas = (0.2, 0.35, 0.5)
    for at, (regime, teacher, overlap) in enumerate(product(REGIMES, ("gaussian", "fixed"), (0.0, 0.5, 1.0))):
        alpha = alphas[(at + at // 3) % 3]
        task = Task(0.2, 0.1, overlap=overlap, teacher=teacher)
        yield Setting(f"{regime}, {teacher}, overlap {overlap:g}", FineTuning(task, REGIMES[regime]), alpha)


def _noisy() -> Iterator[Setting]:
    """Every regime under weak and strong label noise, few and many samples; dense and sparse tasks in turn."""
    for at, (regime, noise, alpha) in enumerate(product(REGIMES, (0.1, 0.5), (0.25, 0.6))):
        teacher = ("gaussian", "fixed")[(at + at // 2) % 2]
        rho = (0.05, 0.3)[(at + at // 4) % 2]
        task = Task(0.2, rho, overlap=0.5, label_noise_std=noise, teacher=teacher)
        name = f"{regime}, {teacher}, rho_FT {rho:g}, noise {noise:g}"
        yield Setting(name, FineTuning(task, REGIMES[regime]), alpha)


def _ridge() -> Iterator[Setting]:
    """Every regime with an explicit strength: little of it without noise, much of it at alpha > 1 with noise."""
    for regime, (strength, alpha, noise) in product(REGIMES, ((0.01, 0.4, 0.0), (1.0, 1.2, 0.5))):
        task = Task(0.1, 0.1, overlap=0.5, label_noise_std=noise)
        name = f"{regime}, ridge strength {strength:g}, noise {noise:g}"
        yield Setting(name, FineTuning(task, REGIMES[regime], ridge_strength=strength), alpha)


def _kept() -> Iterator[Setting]:
    """Lippl and Lindsey's protocol, without symmetrisation: fine-tuning starts at what the first layer kept."""
    for relative_scale, readout, alpha, noise in (
        (0.0, 0.0, 0.3, 0.0),
        (-0.9, 0.0, 0.2, 0.1),
        (0.0, 0.1, 0.3, 0.0),
        (0.0, 1.0, 0.4, 0.0),
        (0.9, 0.5, 0.3, 0.1),
        (-0.5, 1.0, 0.5, 0.5),
    ):
        network = Network(1e-3, relative_scale, readout, "kept")
        task = Task(0.2, 0.1, overlap=0.5, label_noise_std=noise)
        name = f"kept, lambda/c {relative_scale:g}, gamma {readout:g}, noise {noise:g}"
        yield Setting(name, FineTuning(task, network), alpha)


def _imperfect() -> Iterator[Setting]:
    """Pretraining on fewer samples than dimensions."""
    kept = Network(1e-3, 0.0, 0.5, "kept")
    networks = {**REGIMES, "gamma 1": Network(1e-3, 0.0, 1.0), "kept, gamma 0.5": kept}
    for which, pretraining_alpha, alpha in (
        ("II", 0.3, 0.3),
        ("II", 0.6, 0.2),
        ("IV", 0.3, 0.2),
        ("IV", 0.6, 0.3),
        ("gamma 1", 0.3, 0.4),
        ("kept, gamma 0.5", 0.5, 0.3),
    ):
        model = FineTuning(Task(0.2, 0.1, overlap=0.5), networks[which], pretraining_alpha=pretraining_alpha)
        yield Setting(f"{which}, pretraining alpha {pretraining_alpha:g}", model, alpha)


SETTINGS = (*_noiseless(), *_noisy(), *_ridge(), *_kept(), *_imperfect())
TWELVE = SETTINGS[::5]
"""Some of every kind; cheap enough for ``make test-slow``."""


@dataclass(frozen=True)
class Comparison:
    """A prediction beside the errors of simulated tasks (seeds,)."""

    predicted: float
    errors: np.ndarray

    @classmethod
    def of(cls, setting: Setting, found: Simulation) -> "Comparison":
        return cls(setting.predicted, found.errors)

    @property
    def mean(self) -> float:
        return float(self.errors.mean())

    @property
    def std_error(self) -> float:
        return float(self.errors.std(ddof=1)) / np.sqrt(len(self.errors))

    @property
    def deviations(self) -> float:
        """z: how many standard errors the mean lies from the prediction."""
        return (self.mean - self.predicted) / self.std_error

    @property
    def relative_gap(self) -> float:
        return self.mean / self.predicted - 1.0

    @property
    def task_gap(self) -> float:
        """Root mean square of one simulated task's relative distance from the prediction."""
        return float(np.sqrt(np.mean((self.errors / self.predicted - 1.0) ** 2)))

    @property
    def log_gap(self) -> float:
        """Mean of the tasks' log errors - log predicted: a few unlucky tasks do not decide it as they do the mean."""
        return float(np.log(self.errors).mean()) - float(np.log(self.predicted))

    @property
    def agrees(self) -> bool:
        """|z| <= 3 or within 5 %; for predicted errors below 1e-3, log errors within .2."""
        if self.predicted < SMALL:
            return abs(self.log_gap) <= MOST_LOG
        return abs(self.deviations) <= MOST_DEVIATIONS or abs(self.relative_gap) <= MOST_RELATIVE
