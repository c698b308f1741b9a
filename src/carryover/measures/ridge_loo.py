"""The leave-one-out ridge probe as a score: the plain baseline beside every other score."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from carryover._core.errors import InputError
from carryover._core.results import Result
from carryover.measures.leave_one_out import path_errors, path_weights
from carryover.measures.moments import check_matrix
from carryover.measures.ridge_setup import (
    Task,
    check_task_targets,
    coordinate_blocks,
    failure_reason,
    penalty_path,
)
from carryover.measures.spectrum import FeatureSpectrum, spectrum_from_rows


def ridge_loo(
    features: Any, targets: Any, *, task: Task = "classification", n_classes: int | None = None
) -> Result:
    """Leave-one-out accuracy (or R2) of ridge at the penalty with the least leave-one-out squared error.

    The largest accuracy over 30 penalties is the maximum of noisy numbers and too high by design; the squared error
    is a smoother guide, and the accuracy where it is least has little of that optimism.  ``stats``: penalty,
    squared_error.  Failed where features or targets are constant.  Raises InputError as :func:`fit_ridge_path`.

    >>> ridge_loo([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1]).value
    1.0
    """
    matrix = check_matrix(features)
    values, counted = check_task_targets(task, targets, n=len(matrix), n_classes=n_classes)
    return ridge_loo_from_spectrum(spectrum_from_rows(matrix, values, counted), matrix, values)


def ridge_loo_from_spectrum(spectrum: FeatureSpectrum, features: np.ndarray, values: np.ndarray) -> Result:
    """:func:`ridge_loo` of checked rows whose spectrum is known."""
    reason = failure_reason(spectrum)
    if reason is not None:
        return Result(status="failed", reason=reason)
    return ridge_loo_from_sums(spectrum, LooSums.from_blocks(spectrum, [(features, values)]))


@dataclass(frozen=True)
class LooSums:
    """Leave-one-out errors at the p penalties of the default path, summed over ``n_rows`` rows of a spectrum's rows.

    ``squared_error`` (p,); ``n_correct`` (p,), None for regression.
    """

    n_rows: int
    squared_error: Float[np.ndarray, " p"]
    n_correct: Int[np.ndarray, " p"] | None

    @classmethod
    def from_blocks(cls, spectrum: FeatureSpectrum, blocks: Iterable[tuple[Any, Any]]) -> "LooSums":
        """The errors of blocks of (features, class codes or targets), which are some of the spectrum's rows."""
        counted = None if spectrum.class_counts is None else len(spectrum.class_counts)
        weights, n_rows, squared, correct = path_weights(spectrum, penalty_path(spectrum, None)), 0, 0.0, 0
        for features, values in blocks:
            errors = path_errors(weights, coordinate_blocks(spectrum, features, values), n_classes=counted)
            n_rows, squared = n_rows + len(values), squared + errors.squared_error
            correct = None if counted is None else correct + errors.n_correct
        return cls(n_rows, squared, correct)

    def merge(self, other: "LooSums") -> "LooSums":
        """The errors of both sets of rows, under one spectrum."""
        correct = None if self.n_correct is None else self.n_correct + other.n_correct
        return LooSums(self.n_rows + other.n_rows, self.squared_error + other.squared_error, correct)


def ridge_loo_from_sums(spectrum: FeatureSpectrum, sums: LooSums) -> Result:
    """:func:`ridge_loo` from the errors of all rows of the spectrum; InputError where they are of another number."""
    if sums.n_rows != spectrum.n_rows:
        raise InputError(f"sums must be of the {spectrum.n_rows} rows of the spectrum, got {sums.n_rows}")
    best = int(np.argmin(sums.squared_error))
    stats = {
        "penalty": float(penalty_path(spectrum, None)[best]),
        "squared_error": float(sums.squared_error[best]) / spectrum.n_rows,
    }
    if sums.n_correct is not None:
        return Result(float(sums.n_correct[best]) / spectrum.n_rows, stats=stats)
    return Result(1.0 - float(sums.squared_error[best] / spectrum.target_scatter.sum()), stats=stats)
