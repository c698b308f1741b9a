"""Excess losses of a family of checkpoints: read, checked, and judged for whether a line can be fitted."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from carryover._core.errors import InputError
from carryover.measures.noisy_line import NoisyLine, fit_noisy_line

FEWEST = 5
RESOLVED = 3.0  # an excess of fewer standard errors than this has no logarithm worth the name
WIDEST_NOISE = 0.2  # share of the spread of log pretraining excess that may be measurement noise
NARROWEST_RANGE = 3.0


@dataclass(frozen=True)
class CheckpointFamily:
    """Excess losses of c checkpoints over one reference, their standard errors, and their groups."""

    pretraining: np.ndarray
    downstream: np.ndarray
    pretraining_error: np.ndarray
    downstream_error: np.ndarray
    codes: np.ndarray

    def resolved(self) -> Bool[np.ndarray, " c"]:
        """Which checkpoints have both excesses positive and above their noise."""
        return (
            (self.pretraining > RESOLVED * self.pretraining_error)
            & (self.downstream > RESOLVED * self.downstream_error)
            & (self.pretraining > 0)
            & (self.downstream > 0)
        )

    def only(self, rows: np.ndarray) -> "CheckpointFamily":
        """The family of the checkpoints in ``rows``."""
        return CheckpointFamily(
            self.pretraining[rows],
            self.downstream[rows],
            self.pretraining_error[rows],
            self.downstream_error[rows],
            self.codes[rows],
        )

    @property
    def n_groups(self) -> int:
        return len(np.unique(self.codes))

    def line(self) -> NoisyLine:
        """The line in logarithms; log(v) of a noisy v is low by half its squared relative error."""
        x_noise, y_noise = (
            self.pretraining_error / self.pretraining,
            self.downstream_error / self.downstream,
        )
        return fit_noisy_line(
            np.log(self.pretraining) + x_noise**2 / 2,
            np.log(self.downstream) + y_noise**2 / 2,
            x_std=x_noise,
            y_std=y_noise,
        )


def unsupported(family: CheckpointFamily) -> str | None:
    """Why no line should be fitted, if so."""
    if len(family.codes) < FEWEST:
        return f"{len(family.codes)} checkpoints have both excesses above their noise, {FEWEST} are needed"
    if family.n_groups < FEWEST:
        return f"the checkpoints come from {family.n_groups} groups, {FEWEST} are needed"
    ratio = float(family.pretraining.max() / family.pretraining.min())
    if ratio < NARROWEST_RANGE:
        return f"the pretraining excesses lie within a factor of {ratio:.3g}, {NARROWEST_RANGE:g} is needed"
    logs = np.log(family.pretraining)
    share = float(np.mean((family.pretraining_error / family.pretraining) ** 2) / logs.var())
    if share > WIDEST_NOISE:
        return (
            f"noise makes {share:.0%} of the spread of the pretraining excesses, more than {WIDEST_NOISE:.0%}"
        )
    return None


def read_family(
    pretraining: Any, downstream: Any, *, pretraining_std_error: Any, downstream_std_error: Any, groups: Any
) -> CheckpointFamily:
    """The family from arrays of one length; standard errors None are zeros, groups None one for each checkpoint.

    Raises InputError for lengths that differ, values that are not finite, negative standard errors, an empty
    family.
    """
    pretraining = _check_excess("pretraining_excess", pretraining, None)
    n = len(pretraining)
    downstream = _check_excess("downstream_excess", downstream, n)
    errors = [
        np.zeros(n) if given is None else _check_std_error(name, given, n)
        for name, given in (
            ("pretraining_std_error", pretraining_std_error),
            ("downstream_std_error", downstream_std_error),
        )
    ]
    codes = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    if len(codes) != n:
        raise InputError(f"groups must have one entry for each of the {n} checkpoints, got {len(codes)}")
    return CheckpointFamily(pretraining, downstream, *errors, codes)


def _check_excess(name: str, values: Any, n: int | None) -> Float[np.ndarray, " c"]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or len(array) == 0 or (n is not None and len(array) != n):
        wanted = "a vector that is not empty" if n is None else f"a vector of length {n}"
        raise InputError(f"{name} must be {wanted}, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise InputError(f"{name} must be finite, got {array[~np.isfinite(array)][0]}")
    return array


def _check_std_error(name: str, values: Any, n: int) -> Float[np.ndarray, " c"]:
    array = _check_excess(name, values, n)
    if array.min() < 0:
        raise InputError(f"{name} must be at least 0, got {array.min():.4g}")
    return array
