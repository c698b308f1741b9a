"""Ridge regression from a kernel matrix alone, with exact leave-one-out at every penalty of a path.

The kernel stands for features phi with K = phi phi^T, and the fit is ridge regression on them with an unpenalised
intercept: one eigendecomposition of the centred kernel H K H = U S U^T gives every penalty, and the
formulas of :mod:`carryover.measures.leave_one_out` for few rows need nothing else.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from carryover._core.errors import InputError
from carryover._core.results import Status
from carryover.measures.kernels import CONSTANT_KERNEL, centred_kernel, check_kernel
from carryover.measures.leave_one_out import path_weights, transposed_targets
from carryover.measures.moments import target_rows
from carryover.measures.ridge_setup import CONSTANT_TARGETS, Task, check_task_targets, penalty_path
from carryover.measures.spectrum import FeatureSpectrum
from carryover.numerics.linalg import centred_gram_eigen, eigenvalue_tolerance

_NEGATIVE = 1e-3  # of the trace: what sums in single precision leave in negative eigenvalues


@dataclass(frozen=True)
class KernelRidgePath:
    """Leave-one-out predictions of kernel ridge regression at every penalty of a path.

    ``penalties`` (p,) multiply the squared norm of the coefficients beside the *sum* of squared errors.  ``loo_scores``
    (p, n, k) are the predictions of the fit without each row; ``loo_squared_error`` (p,) the mean over examples of
    their squared error, summed over targets; ``loo_accuracy`` (p,) the share of examples whose own class
    scores above all others (None for regression); ``loo_r2`` (p,) = 1 - n loo_squared_error / sum ||y - ybar||^2 (None
    for classification).  ``selected`` is the index of the least squared error, of equal ones the largest penalty:
    the accuracy there is not the largest of many noisy ones, which would be too high by design.
    With a kernel or targets that are constant ``status`` is "failed" with a ``reason``, and the scores are the means of
    the other rows' targets.
    """

    penalties: Float[np.ndarray, " p"]
    loo_scores: Float[np.ndarray, "p n k"]
    loo_squared_error: Float[np.ndarray, " p"]
    loo_accuracy: Float[np.ndarray, " p"] | None
    loo_r2: Float[np.ndarray, " p"] | None
    selected: int
    status: Status = "ok"
    reason: str | None = None

    @property
    def penalty(self) -> float:
        """The selected penalty."""
        return float(self.penalties[self.selected])

    @property
    def scores(self) -> Float[np.ndarray, "n k"]:
        """Leave-one-out predictions at the selected penalty."""
        return self.loo_scores[self.selected]


def fit_kernel_ridge_path(
    kernel: Any,
    targets: Any,
    *,
    task: Task = "classification",
    n_classes: int | None = None,
    penalties: Any = None,
) -> KernelRidgePath:
    """Exact leave-one-out of kernel ridge at each penalty, from a kernel (n, n) and one eigendecomposition.

    ``targets``: class codes (n,) or, for ``task="regression"``, real values (n,) or (n, k).  ``penalties``: p positive
    numbers; by default 30 from 1e-5 to 1e4 times the mean eigenvalue of the centred kernel, so that a positive factor
    of the kernel changes no prediction.  Costs O(n^3 + p n^2 k).  Reference: as for
    :mod:`carryover.measures.leave_one_out`.  Raises InputError for what is not a symmetric finite matrix,
    a matrix with negative eigenvalues beyond rounding, and targets that do not fit.

    >>> rows = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> path = fit_kernel_ridge_path(rows @ rows.T, [0, 0, 1, 1])
    >>> float(path.loo_accuracy[path.selected])
    1.0
    """
    matrix = check_kernel(kernel)
    values, counted = check_task_targets(task, targets, n=len(matrix), n_classes=n_classes)
    spectrum = kernel_spectrum(matrix, values, counted)
    grid = penalty_path(spectrum, penalties)
    weights = path_weights(spectrum, grid)
    coordinates, truth = spectrum.left.T, transposed_targets(values, counted)
    residuals = weights.residuals(weights.residual_basis.T @ coordinates, values)
    scores = truth - residuals / weights.one_minus_leverage(coordinates)[:, None, :]
    squared = np.square(truth - scores).sum(axis=(1, 2))
    total = float(spectrum.target_scatter.sum())
    reason = _reason(spectrum, target_rows(values, counted))
    return KernelRidgePath(
        penalties=grid,
        loo_scores=scores.transpose(0, 2, 1),
        loo_squared_error=squared / len(matrix),
        loo_accuracy=None if counted is None else _accuracy(scores, values),
        loo_r2=1.0 - squared / total if counted is None and total > 0.0 else None,
        selected=int(np.flatnonzero(squared == squared.min())[-1]),
        status="ok" if reason is None else "failed",
        reason=reason,
    )


def kernel_spectrum(
    kernel: Float[np.ndarray, "n n"], values: np.ndarray, n_classes: int | None
) -> FeatureSpectrum:
    """The spectrum of the features that a checked kernel stands for, written in its own eigenvectors (mean 0).

    Raises InputError where the negative eigenvalues of the centred kernel are more than rounding.
    """
    n, centred = len(kernel), centred_kernel(kernel)
    eigenvalues, left = centred_gram_eigen(centred)
    trace, kept = float(np.trace(centred)), float(eigenvalues.sum())
    if centred.any() and (trace <= 0.0 or kept - trace > _NEGATIVE * kept):
        least = float(np.linalg.eigvalsh(centred)[0])
        raise InputError(
            f"kernel must have no negative eigenvalues, but the centred kernel has them down to {least:.3g}"
        )
    targets = target_rows(values, n_classes)
    deviations = targets - targets.mean(axis=0)
    left_targets, norms = left.T @ deviations, np.diagonal(centred)
    return FeatureSpectrum(
        n_rows=n,
        n_features=n - 1,
        eigenvalues=eigenvalues,
        tolerance=eigenvalue_tolerance(float(eigenvalues[-1]), size=n, n_rows=n),
        mean=np.zeros(n - 1),
        mean_coordinates=np.zeros(n - 1),
        mean_null_square=0.0,
        cross=np.sqrt(eigenvalues)[:, None] * left_targets,
        target_mean=targets.mean(axis=0),
        target_scatter=np.einsum("ij,ij->j", deviations, deviations),
        class_counts=None if n_classes is None else np.bincount(values, minlength=n_classes),
        trace=trace,
        square=float(np.vdot(centred, centred)),
        fourth_moment=float(norms @ norms),
        left=left,
        left_targets=left_targets,
    )


def _accuracy(scores: Float[np.ndarray, "p k n"], values: np.ndarray) -> Float[np.ndarray, " p"]:
    """The share of examples whose own class scores above all others (a tie is an error)."""
    own = np.take_along_axis(scores, values[None, None, :], axis=1)
    others = scores.copy()
    np.put_along_axis(others, values[None, None, :], -np.inf, axis=1)
    return (own[:, 0] > others.max(axis=1)).mean(axis=1)


def _reason(spectrum: FeatureSpectrum, targets: np.ndarray) -> str | None:
    if spectrum.constant:
        return CONSTANT_KERNEL
    return None if np.ptp(targets, axis=0).any() else CONSTANT_TARGETS
