"""What every ridge fit is set up with: task, targets, penalties, rows in the eigenbasis, and the choice at the end."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float

from carryover._core.checks import check_labels
from carryover._core.errors import InputError
from carryover.measures.leave_one_out import PathErrors
from carryover.measures.moments import check_targets
from carryover.measures.spectrum import FeatureSpectrum
from carryover.numerics.linalg import row_blocks

Task = str  # "classification" or "regression": checked below, with a sentence
RELATIVE_PENALTIES = np.logspace(-5.0, 4.0, 30)
CONSTANT_FEATURES = "every feature is constant over these examples: there is nothing to learn from"
CONSTANT_TARGETS = "every example has the same label or target: there is nothing to predict"


def failure_reason(spectrum: FeatureSpectrum) -> str | None:
    """Why nothing can be fitted, or None."""
    if spectrum.constant:
        return CONSTANT_FEATURES
    if not (spectrum.target_scatter > 0.0).any():
        return CONSTANT_TARGETS
    return None


def penalty_path(spectrum: FeatureSpectrum, penalties: Any) -> Float[np.ndarray, " p"]:
    """The given penalties, checked; or 30 relative to the mean eigenvalue of the scatter."""
    if penalties is None:
        mean = spectrum.trace / max(1, min(spectrum.n_rows - 1, spectrum.n_features))
        return RELATIVE_PENALTIES * (mean if mean > 0.0 else 1.0)
    grid = np.asarray(penalties, dtype=np.float64)
    if grid.ndim != 1 or not len(grid) or not (np.isfinite(grid) & (grid > 0.0)).all():
        raise InputError(f"penalties must be a vector of finite numbers > 0, got {penalties!r}")
    return grid


def select_penalty(errors: PathErrors) -> int:
    """Best accuracy, then least squared error, then largest penalty."""
    squared = errors.squared_error
    if errors.n_correct is not None:
        squared = np.where(errors.n_correct == errors.n_correct.max(), squared, np.inf)
    return int(np.flatnonzero(squared == squared.min())[-1])


def coordinate_blocks(
    spectrum: FeatureSpectrum, features: np.ndarray, values: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of (coordinates (r, b), targets (b, ...)) of the rows in the spectrum's basis."""
    for rows in row_blocks(len(features), max(len(spectrum.eigenvalues), 1)):
        if spectrum.left is not None:
            yield spectrum.left[rows].T, values[rows]
        elif spectrum.centred is not None:
            yield spectrum.directions.T @ spectrum.centred[rows].T, values[rows]
        else:
            yield spectrum.directions.T @ (features[rows] - spectrum.mean).T, values[rows]


def check_task_targets(
    task: Task, targets: Any, *, n: int, n_classes: int | None
) -> tuple[np.ndarray, int | None]:
    """Targets of the kind that ``task`` names, with the number of classes or None; needs two rows."""
    if task not in ("classification", "regression"):
        raise InputError(f"task must be 'classification' or 'regression', got {task!r}")
    if n < 2:
        raise InputError("features must have at least 2 rows to leave one out, got 1")
    array = np.asarray(targets)
    if task == "classification":
        codes = check_labels(array, n, name="targets")
        return check_targets(codes, n, n_classes)
    if n_classes is not None:
        raise InputError(f"n_classes={n_classes} has no meaning for task='regression'")
    return check_targets(np.asarray(array, dtype=np.float64), n, None)
