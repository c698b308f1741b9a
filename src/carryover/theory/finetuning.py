"""Pretraining then fine-tuning a diagonal linear network: one object for the predicted error, order and regime."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from carryover._core.errors import InputError
from carryover.theory.averages import averages, distances
from carryover.theory.batches import Batch
from carryover.theory.checks import check_between, check_number
from carryover.theory.networks import Network
from carryover.theory.priors import MixedTask, Task
from carryover.theory.regimes import order, pretraining_dependence, regime
from carryover.theory.replica import Problems

AT_ONE = "alpha = 1 with label noise: as many samples as dimensions, where the interpolator's error diverges"
NOT_CONVERGED = "the replica equations were not solved: residual {residual:.1e} after {steps} steps"


@dataclass(frozen=True)
class Prediction:
    """Predicted errors, all arrays of the shape of ``alpha`` broadcast with the task's and network's numbers.

    ``generalization_error`` is E(beta_hat - beta*)^2 per coordinate, NaN exactly where ``status`` is not "ok" (then
    ``reason`` says why; it is "" elsewhere).  ``effective_noise`` s^2 and ``effective_regularization`` g are the
    replica unknowns (0 where the error is known in closed form), ``residual`` what is left of their equations.
    """

    alpha: Float[np.ndarray, "*batch"]
    generalization_error: Float[np.ndarray, "*batch"]
    status: np.ndarray
    reason: np.ndarray
    effective_noise: Float[np.ndarray, "*batch"]
    effective_regularization: Float[np.ndarray, "*batch"]
    residual: Float[np.ndarray, "*batch"]


@dataclass(frozen=True)
class GroupErrors:
    """By group of coordinates, (..., groups): ``share``, ``error`` E(beta_hat - beta*)^2 and ``forgetting``
    E(beta_hat - beta_PT)^2, with the groups' ``name``; NaN where the fixed point was not found.
    """

    name: tuple[str, ...]
    share: Float[np.ndarray, "*batch groups"]
    error: Float[np.ndarray, "*batch groups"]
    forgetting: Float[np.ndarray, "*batch groups"]


@dataclass(frozen=True)
class FineTuning:
    """A task, a network, and optionally an explicit strength of its potential and imperfect pretraining.

    - ``ridge_strength`` t: minimise ||y - X beta||^2 / 2 + t sum_d q_k(beta_d); 0 is the interpolator
    - ``pretraining_alpha``: samples per dimension that pretraining saw (no label noise); from 1 on it is perfect

    >>> model = FineTuning(Task(0.1, 0.1, overlap=1.0), Network(scale=1e-3, relative_scale=-0.99))
    >>> round(float(model.predict(0.1).generalization_error), 6)
    0.371454
    >>> model.regime
    'IV: rich, pretraining-dependent'
    """

    task: Task | MixedTask
    network: Network
    ridge_strength: float = 0.0
    pretraining_alpha: float = np.inf

    def __post_init__(self) -> None:
        check_number("ridge_strength", self.ridge_strength, 0.0, np.inf)
        if np.ndim(self.pretraining_alpha):
            raise InputError("pretraining_alpha must be a single number, got an array")
        if not self.pretraining_alpha > 0.0:
            raise InputError(f"pretraining_alpha must lie in (0, inf], got {self.pretraining_alpha}")

    @property
    def order(self) -> np.ndarray:
        """l at a coefficient of typical size on a pretrained coordinate: 2 lazy (ridge), 1 rich (L1)."""
        return order(self.task.coefficient_size, self.network.sqrt_k(self.task.amplitude))

    @property
    def pretraining_dependence(self) -> np.ndarray:
        """PD there: 0 independent of pretraining, -1 as dependent as can be."""
        return pretraining_dependence(self.task.coefficient_size, self.task.amplitude, self.network)

    @property
    def regime(self) -> str | np.ndarray:
        """The paper's regime I to IV, from ``order`` and ``pretraining_dependence``."""
        found = np.vectorize(regime, otypes=[object])(self.order, self.pretraining_dependence)
        return str(found) if found.ndim == 0 else found

    def predict(self, alpha: float | Float[np.ndarray, "*n"]) -> Prediction:
        """The error at sample ratios alpha = n / d > 0, as d grows; exact, no simulation.

        From alpha = 1 on without a strength: noise / (alpha - 1), at alpha = 1 with noise a status.
        """
        alpha = check_between("alpha", alpha, 0.0, np.inf, open_low=True)
        batch = self._batch(alpha)
        solved = batch.solve()
        noise = batch.noise_variance
        error = solved.error
        status = np.where(solved.converged, "ok", "failed")
        reason = np.array(
            [
                "" if ok else NOT_CONVERGED.format(residual=left, steps=steps)
                for ok, left, steps in zip(solved.converged, solved.residual, solved.steps, strict=True)
            ],
            dtype=object,
        )
        error[~solved.converged] = np.nan
        known = batch.known
        beyond = known & (batch.alpha > 1.0)
        error[known] = 0.0
        error[beyond] = noise[beyond] / (batch.alpha[beyond] - 1.0)
        status[known], reason[known] = "ok", ""
        diverges = known & (batch.alpha == 1.0) & (noise > 0.0)
        error[diverges], status[diverges], reason[diverges] = np.nan, "failed", AT_ONE
        parts = (batch.alpha, error, status, reason, solved.noise, solved.strength, solved.residual)
        return Prediction(*(part.reshape(batch.shape) for part in parts))

    def by_group(self, alpha: float | Float[np.ndarray, "*n"]) -> GroupErrors:
        """The error and what is forgotten, on the coordinates shared, pretrained only, new and neither.

        Forgetting is measured from what pretraining should have learned.
        Raises InputError from alpha = 1 on without a strength, where the groups are all alike.
        """
        alpha = check_between("alpha", alpha, 0.0, np.inf, open_low=True)
        batch = self._batch(alpha)
        if batch.known.any():
            raise InputError(
                f"alpha must lie in (0, 1) without ridge_strength, got {float(batch.alpha[batch.known][0]):g}"
            )
        solved = batch.solve()
        n_groups = len(batch.group_names)
        place = batch.owner * n_groups + batch.group

        def summed(values: np.ndarray) -> np.ndarray:
            total = np.bincount(place, weights=batch.share * values, minlength=batch.size * n_groups)
            with np.errstate(invalid="ignore"):
                mean = (total / share).reshape(batch.size, n_groups)
            mean[~solved.converged] = np.nan
            return mean.reshape(*batch.shape, n_groups)

        share = np.bincount(place, weights=batch.share, minlength=batch.size * n_groups)
        noise, strength = solved.noise[batch.owner], solved.strength[batch.owner]
        return GroupErrors(
            name=batch.group_names,
            share=share.reshape(*batch.shape, n_groups),
            error=summed(averages(batch.cells, noise, strength).error),
            forgetting=summed(distances(batch.cells, noise, strength, batch.pretraining)),
        )

    def problems(self, alpha: Float[np.ndarray, "*n"]) -> Problems:
        """The replica equations of every alpha, before they are solved."""
        return self._batch(np.asarray(alpha, dtype=np.float64)).problems

    def _batch(self, alpha: np.ndarray) -> Batch:
        return Batch.of(
            self.task,
            self.network,
            alpha,
            ridge_strength=self.ridge_strength,
            pretraining_alpha=self.pretraining_alpha,
        )
