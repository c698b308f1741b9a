"""The law of source and target coefficients: a mixture of groups of coordinates.

A coordinate belongs to one of four groups: it carries a coefficient in pretraining, in fine-tuning, in both
("shared") or in neither.  Everything downstream sees a :class:`Mixture`: for each group its share, the law of its
fine-tuning coefficient (mean and variance), and its pretraining coefficient.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from carryover._core.errors import InputError
from carryover.theory.checks import check_between, check_finite

TeacherLaw = Literal["gaussian", "fixed"]
TEACHER_LAWS = ("gaussian", "fixed")
GROUP_NAMES = ("shared", "pretrained only", "new", "neither")
SUM_SLACK = 1e-9


@dataclass(frozen=True)
class Mixture:
    """Groups of coordinates, a batch of mixtures at a time; every array broadcasts to (..., groups).

    ``share`` sums to 1 over the last axis; a coefficient of the group is drawn from N(``mean``, ``variance``);
    ``pretraining`` is the coefficient that pretraining learned there, ``name`` (groups,) labels the groups.
    Raises InputError for shares that are negative or do not add up, negative variances and what is not finite.
    """

    share: Float[np.ndarray, "*batch groups"]
    mean: Float[np.ndarray, "*batch groups"]
    variance: Float[np.ndarray, "*batch groups"]
    pretraining: Float[np.ndarray, "*batch groups"]
    name: tuple[str, ...]

    def __post_init__(self) -> None:
        for field in ("share", "mean", "variance", "pretraining"):
            object.__setattr__(self, field, check_finite(f"mixture {field}", getattr(self, field)))
        if self.share.ndim == 0 or len(self.name) != self.share.shape[-1]:
            raise InputError(
                f"mixture share must end in one axis of {len(self.name)} groups, got {self.share.shape}"
            )
        check_between("mixture share", self.share, 0.0, 1.0)
        check_between("mixture variance", self.variance, 0.0, np.inf)
        total = self.share.sum(axis=-1)
        if (np.abs(total - 1.0) > SUM_SLACK).any():
            worst = float(total.flat[np.argmax(np.abs(total - 1.0))])
            raise InputError(f"mixture share must add up to 1 over the groups, got {worst}")

    @property
    def signal(self) -> Float[np.ndarray, "*batch"]:
        """E of a squared fine-tuning coefficient: the error of predicting nothing."""
        return (self.share * (self.mean**2 + self.variance)).sum(axis=-1)


@dataclass(frozen=True)
class Task:
    """A pretraining and a fine-tuning task that share part of their support.

    - ``rho_pretraining``: share of coordinates with a pretraining coefficient, of size ``amplitude``
    - ``rho_finetuning``: share with a fine-tuning coefficient, of which ``overlap`` lie inside pretraining's support
    - ``teacher``: "gaussian", coefficients N(0, 1 / rho_finetuning), or "fixed", all equal to
      rho_finetuning^(-1/2); either way E beta^2 = 1 per coordinate
    - ``label_noise_std``: standard deviation of the noise in y.  Inputs are x ~ N(0, I / d).

    Every number may be an array; they broadcast.  Raises InputError naming the argument, its value and its range:
    densities in [0, 1] that fit together (rho_shared <= rho_pretraining, rho_pretraining + rho_new <= 1).

    >>> Task(rho_pretraining=0.1, rho_finetuning=0.2, overlap=0.5).rho_new
    array(0.1)
    """

    rho_pretraining: float | np.ndarray = 0.1
    rho_finetuning: float | np.ndarray = 0.1
    overlap: float | np.ndarray = 1.0
    label_noise_std: float | np.ndarray = 0.0
    teacher: TeacherLaw = "gaussian"
    amplitude: float | np.ndarray = 1.0

    def __post_init__(self) -> None:
        check_between("rho_pretraining", self.rho_pretraining, 0.0, 1.0)
        check_between("rho_finetuning", self.rho_finetuning, 0.0, 1.0, open_low=True)
        check_between("overlap", self.overlap, 0.0, 1.0)
        check_between("label_noise_std", self.label_noise_std, 0.0, np.inf)
        check_finite("amplitude", self.amplitude)
        if self.teacher not in TEACHER_LAWS:
            raise InputError(f"teacher must be one of {TEACHER_LAWS}, got {self.teacher!r}")
        self._check_fit(
            self.rho_shared, self.rho_pretraining, "rho_shared = overlap * rho_finetuning", "rho_pretraining"
        )
        self._check_fit(
            np.asarray(self.rho_pretraining) + self.rho_new,
            1.0,
            "rho_pretraining + (1 - overlap) * rho_finetuning",
            "1",
        )

    @staticmethod
    def _check_fit(value: np.ndarray, most: float | np.ndarray, what: str, limit: str) -> None:
        excess = np.asarray(value - np.asarray(most))
        if (excess > SUM_SLACK).any():
            worst = float(np.broadcast_to(value, excess.shape).flat[int(np.argmax(excess))])
            raise InputError(f"densities do not add up: {what} must lie in [0, {limit}], got {worst:.6g}")

    @property
    def rho_shared(self) -> np.ndarray:
        """Share of coordinates with both coefficients."""
        return np.asarray(np.multiply(self.overlap, self.rho_finetuning), dtype=np.float64)

    @property
    def rho_new(self) -> np.ndarray:
        """Share of coordinates with a fine-tuning coefficient only."""
        return np.asarray(self.rho_finetuning - self.rho_shared, dtype=np.float64)

    @property
    def coefficient_size(self) -> np.ndarray:
        """Root mean square of a fine-tuning coefficient that is not 0."""
        return np.asarray(self.rho_finetuning, dtype=np.float64) ** -0.5

    @property
    def mixture(self) -> Mixture:
        """The four groups, in the order of ``GROUP_NAMES``."""
        shared, new = self.rho_shared, self.rho_new
        only = np.maximum(np.asarray(self.rho_pretraining) - shared, 0.0)
        neither = np.maximum(1.0 - np.asarray(self.rho_pretraining) - new, 0.0)
        size, amplitude = self.coefficient_size, np.asarray(self.amplitude, dtype=np.float64)
        zero = np.zeros(())
        mean, variance = (size, zero) if self.teacher == "fixed" else (zero, size**2)
        share = _stack(shared, only, new, neither)
        return Mixture(
            share=share,
            mean=_stack(mean, zero, mean, zero),
            variance=_stack(variance, zero, variance, zero),
            pretraining=_stack(amplitude, amplitude, zero, zero),
            name=GROUP_NAMES,
        )


@dataclass(frozen=True)
class MixedTask:
    """Any mixture of groups as a task, with the standard deviation of fine-tuning's label noise.

    >>> mixture = Mixture([0.2, 0.8], [1.0, 0.0], [0.0, 0.0], [1.0, 0.0], ("used", "unused"))
    >>> float(MixedTask(mixture).coefficient_size)
    1.0
    """

    mixture: Mixture
    label_noise_std: float | np.ndarray = 0.0

    def __post_init__(self) -> None:
        check_between("label_noise_std", self.label_noise_std, 0.0, np.inf)

    @property
    def coefficient_size(self) -> np.ndarray:
        """Root mean square of a fine-tuning coefficient over the groups that have one (0 where none has)."""
        return self._typical(self.mixture.mean**2 + self.mixture.variance)

    @property
    def amplitude(self) -> np.ndarray:
        """Root mean square of a pretraining coefficient over the groups that have one (0 where none has)."""
        return self._typical(self.mixture.pretraining**2)

    def _typical(self, squares: np.ndarray) -> np.ndarray:
        share = np.where(squares > 0.0, self.mixture.share, 0.0)
        total = share.sum(axis=-1)
        return np.sqrt((share * squares).sum(axis=-1) / np.where(total > 0.0, total, 1.0))


def _stack(*parts: np.ndarray) -> np.ndarray:
    return np.stack(np.broadcast_arrays(*parts), axis=-1)
