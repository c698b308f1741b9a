"""Ridge regression with an unpenalised intercept: a whole path of penalties with exact leave-one-out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import softmax

from carryover._core.checks import check_features
from carryover._core.errors import InputError
from carryover._core.results import Status
from carryover.measures.leave_one_out import PathErrors, path_errors, path_weights
from carryover.measures.moments import FeatureMoments, check_matrix, check_targets, target_rows
from carryover.measures.ridge_setup import (
    Task,
    check_task_targets,
    coordinate_blocks,
    failure_reason,
    penalty_path,
    select_penalty,
)
from carryover.measures.spectrum import FeatureSpectrum, centre, spectrum_from_moments, spectrum_from_rows
from carryover.measures.temperature import fit_temperature
from carryover.numerics.linalg import row_blocks


@dataclass(frozen=True)
class RidgePath:
    """Ridge fits at every penalty of a path, and the fit at the selected one.

    ``penalties`` (p,) multiply ||coefficients||^2 beside the *sum* of squared errors.  ``loo_squared_error`` (p,)
    is the mean over examples of the squared leave-one-out error, summed over targets; ``loo_accuracy`` (p,)
    the share of examples whose own class has the highest leave-one-out score (None for regression);
    ``loo_r2`` (p,) = 1 - n loo_squared_error / sum ||y - ybar||^2 (None for classification).
    ``selected`` is an index: the best leave-one-out accuracy, ties broken by the least squared error, then by the
    largest penalty; for regression the least squared error.
    ``coefficients`` (d, k), ``intercept`` (k,), ``loo_scores`` (n, k) and ``temperature`` (None for regression)
    belong to the selected penalty; ``effective_degrees_of_freedom`` (p,) is the trace of the hat matrix,
    intercept included.  With constant features or targets ``status`` is "failed" with a ``reason``, and the fit
    is the intercept alone.
    """

    penalties: Float[np.ndarray, " p"]
    loo_squared_error: Float[np.ndarray, " p"]
    loo_accuracy: Float[np.ndarray, " p"] | None
    loo_r2: Float[np.ndarray, " p"] | None
    selected: int
    coefficients: Float[np.ndarray, "d k"]
    intercept: Float[np.ndarray, " k"]
    feature_mean: Float[np.ndarray, " d"]
    target_mean: Float[np.ndarray, " k"]
    temperature: float | None
    loo_scores: Float[np.ndarray, "n k"]
    effective_degrees_of_freedom: Float[np.ndarray, " p"]
    status: Status = "ok"
    reason: str | None = None

    @property
    def penalty(self) -> float:
        """The selected penalty."""
        return float(self.penalties[self.selected])

    def predict_scores(self, features: Any) -> Float[np.ndarray, "m k"]:
        """Scores (m, k) of new rows at the selected penalty; for regression the predictions."""
        matrix = check_features(features)
        if matrix.shape[1] != len(self.coefficients):
            raise InputError(f"features must have {len(self.coefficients)} columns, got {matrix.shape[1]}")
        return (matrix - self.feature_mean) @ self.coefficients + self.target_mean

    def predict_probabilities(self, features: Any) -> Float[np.ndarray, "m k"]:
        """softmax(scores / temperature), (m, k); raises InputError for regression."""
        if self.temperature is None:
            raise InputError("predict_probabilities needs a path fitted with task='classification'")
        return softmax(self.predict_scores(features) / self.temperature, axis=1)


def fit_ridge_path(
    features: Any,
    targets: Any,
    *,
    task: Task = "classification",
    n_classes: int | None = None,
    penalties: Any = None,
    eigen: FeatureSpectrum | None = None,
) -> RidgePath:
    """Fit features (n, d) at every penalty from one eigendecomposition, with exact leave-one-out.

    ``targets``: class codes (n,) or, for ``task="regression"``, real values (n,) or (n, k).  ``penalties``: p positive
    numbers; by default 30 from 1e-5 to 1e4 times the mean eigenvalue of the centred scatter (trace /
    min(n - 1, d)), so that a positive scaling of the features changes no prediction.  ``eigen``: the spectrum of these
    very rows and targets (:func:`spectrum_from_rows`), where it is already known.
    Costs O(n d min(n, d)); n <= d works on the n x n side.  Constant, duplicated and dependent features are fine.
    Raises InputError for fewer than two rows and for what is not finite or does not fit.

    >>> path = fit_ridge_path([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])
    >>> float(path.loo_accuracy[path.selected])
    1.0
    """
    matrix = check_matrix(features)
    values, counted = check_task_targets(task, targets, n=len(matrix), n_classes=n_classes)
    spectrum = spectrum_from_rows(matrix, values, counted) if eigen is None else eigen
    grid = penalty_path(spectrum, penalties)
    weights = path_weights(spectrum, grid)
    errors = path_errors(weights, coordinate_blocks(spectrum, matrix, values), n_classes=counted)
    selected = select_penalty(errors)
    if spectrum.left is None:
        coefficients = _coefficients(spectrum, grid[selected])
        residuals = _block_residuals(spectrum, coefficients, matrix, target_rows(values, counted))
    else:
        shrunk = spectrum.left_targets / (spectrum.eigenvalues[:, None] + grid[selected])
        coefficients = centre(np.asarray(matrix, dtype=np.float64))[1].T @ (spectrum.left @ shrunk)
        residuals = spectrum.left @ (grid[selected] * shrunk)
    return _finish(spectrum, grid, errors, fit=(coefficients, residuals), values=values)


def loo_from_blocks(
    moments: FeatureMoments, blocks: Iterable[tuple[Any, Any]], *, penalties: Any = None
) -> RidgePath:
    """The same path for rows that do not fit in memory, from their moments and two passes over their blocks.

    ``blocks`` yields (features, targets) and must start afresh each time it is iterated (a list, or an object
    with ``__iter__``; not a generator).  The blocks must hold the rows that ``moments`` was made from.
    Memory: one block, d x d, and n x (p + k) for the leave-one-out values.
    """
    if isinstance(blocks, Iterator):
        raise InputError("blocks is iterated twice: give a list or an object whose __iter__ starts afresh")
    counted = None if moments.class_counts is None else moments.n_targets
    spectrum = spectrum_from_moments(moments)
    grid = penalty_path(spectrum, penalties)
    coordinates = (
        part
        for rows, values in _checked_blocks(blocks, moments, counted)
        for part in coordinate_blocks(spectrum, rows, values)
    )
    errors = path_errors(path_weights(spectrum, grid), coordinates, n_classes=counted)
    if errors.one_minus_leverage.shape[1] != moments.n_rows:
        n = errors.one_minus_leverage.shape[1]
        raise InputError(f"blocks must hold the {moments.n_rows} rows of moments, got {n}")
    coefficients = _coefficients(spectrum, grid[select_penalty(errors)])
    kept_values, kept_residuals = [], []
    for rows, values in _checked_blocks(blocks, moments, counted):
        kept_values.append(values)
        kept_residuals.append(_block_residuals(spectrum, coefficients, rows, target_rows(values, counted)))
    fit = (coefficients, np.concatenate(kept_residuals))
    return _finish(spectrum, grid, errors, fit=fit, values=np.concatenate(kept_values))


def _checked_blocks(
    blocks: Iterable[tuple[Any, Any]], moments: FeatureMoments, counted: int | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for rows, targets in blocks:
        matrix = check_matrix(rows)
        if matrix.shape[1] != moments.n_features:
            raise InputError(f"blocks must have {moments.n_features} features each, got {matrix.shape[1]}")
        yield matrix, check_targets(targets, len(matrix), counted)[0]


def _coefficients(spectrum: FeatureSpectrum, penalty: float) -> Float[np.ndarray, "d k"]:
    return spectrum.directions @ (spectrum.cross / (spectrum.eigenvalues[:, None] + penalty))


def _block_residuals(
    spectrum: FeatureSpectrum, coefficients: np.ndarray, features: np.ndarray, targets: np.ndarray
) -> Float[np.ndarray, "n k"]:
    """Residuals of the fit that includes each row; blocks bound the memory that centring takes."""
    out = targets - spectrum.target_mean
    if spectrum.centred is not None:
        return out - spectrum.centred @ coefficients
    for rows in row_blocks(*features.shape):
        out[rows] -= (features[rows] - spectrum.mean) @ coefficients
    return out


def _finish(
    spectrum: FeatureSpectrum,
    grid: np.ndarray,
    errors: PathErrors,
    *,
    fit: tuple[np.ndarray, np.ndarray],
    values: np.ndarray,
) -> RidgePath:
    (coefficients, residuals), selected, n = fit, select_penalty(errors), spectrum.n_rows
    classes = None if spectrum.class_counts is None else len(spectrum.class_counts)
    scores = target_rows(values, classes) - residuals / errors.one_minus_leverage[selected][:, None]
    total = float(spectrum.target_scatter.sum())
    reason = failure_reason(spectrum)
    s = spectrum.eigenvalues[:, None]
    return RidgePath(
        penalties=grid,
        loo_squared_error=errors.squared_error / n,
        loo_accuracy=None if errors.n_correct is None else errors.n_correct / n,
        loo_r2=1.0 - errors.squared_error / total if classes is None and total > 0.0 else None,
        selected=selected,
        coefficients=coefficients,
        intercept=spectrum.target_mean - spectrum.mean @ coefficients,
        feature_mean=spectrum.mean,
        target_mean=spectrum.target_mean,
        temperature=None if classes is None else fit_temperature(scores, values),
        loo_scores=scores,
        effective_degrees_of_freedom=1.0 + (s / (s + grid)).sum(axis=0),
        status="ok" if reason is None else "failed",
        reason=reason,
    )
