"""The leave-one-out ridge probe as a score: the plain baseline beside every other score."""

from typing import Any

import numpy as np

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
    counted = None if spectrum.class_counts is None else len(spectrum.class_counts)
    grid = penalty_path(spectrum, None)
    blocks = coordinate_blocks(spectrum, features, values)
    errors = path_errors(path_weights(spectrum, grid), blocks, n_classes=counted)
    best = int(np.argmin(errors.squared_error))
    stats = {
        "penalty": float(grid[best]),
        "squared_error": float(errors.squared_error[best]) / spectrum.n_rows,
    }
    if errors.n_correct is not None:
        return Result(float(errors.n_correct[best]) / spectrum.n_rows, stats=stats)
    return Result(1.0 - float(errors.squared_error[best] / spectrum.target_scatter.sum()), stats=stats)
