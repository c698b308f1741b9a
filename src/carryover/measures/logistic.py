"""Multinomial logistic regression probe, its penalty chosen by cross-validation."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import log_softmax, softmax
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from carryover._core.checks import check_features, check_labels
from carryover._core.errors import InputError
from carryover._core.results import Status
from carryover.measures.ridge_setup import CONSTANT_FEATURES, CONSTANT_TARGETS
from carryover.measures.softmax_regression import fit_softmax
from carryover.measures.spectrum import centre
from carryover.numerics.linalg import eigenvalue_tolerance, scatter_eigen

PENALTIES = (10_000.0, 1_000.0, 100.0, 10.0, 1.0, 0.1)  # strong to weak: each fit starts from the one before
_FOLDS = 5
_CV_TOLERANCE = 1e-2
_FINAL_TOLERANCE = 1e-4
_SMALL_LOSS = 0.05


@dataclass(frozen=True)
class LogisticProbe:
    """softmax(((x - mean) / scale) @ coefficients + intercept), and how its penalty was chosen.

    ``penalty`` multiplies ||coefficients||^2 / 2 beside the *sum* of log losses (scikit-learn's 1 / C), on
    standardised features; the intercept is free.  ``cv_log_loss`` holds the mean validation log loss in nats at
    each of ``cv_penalties`` that were tried, strong to weak.  ``converged`` is False where the solver stopped early.
    Where ``status`` is "failed" (``reason`` says why) the probe predicts the class frequencies.
    """

    mean: Float[np.ndarray, " d"]
    scale: Float[np.ndarray, " d"]
    coefficients: Float[np.ndarray, "d k"]
    intercept: Float[np.ndarray, " k"]
    penalty: float | None
    cv_penalties: tuple[float, ...] = ()
    cv_log_loss: tuple[float, ...] = ()
    converged: bool = True
    status: Status = "ok"
    reason: str | None = None

    def predict_scores(self, features: Any) -> Float[np.ndarray, "m k"]:
        """Logits (m, k) of new rows."""
        matrix = check_features(features)
        if matrix.shape[1] != len(self.mean):
            raise InputError(f"features must have {len(self.mean)} columns, got {matrix.shape[1]}")
        return ((matrix - self.mean) / self.scale) @ self.coefficients + self.intercept

    def predict_probabilities(self, features: Any) -> Float[np.ndarray, "m k"]:
        """Class probabilities (m, k) of new rows."""
        return softmax(self.predict_scores(features), axis=1)


def fit_logistic_probe(
    features: Any,
    labels: Any,
    *,
    groups: Any = None,
    generator: np.random.Generator,
    penalties: tuple[float, ...] = PENALTIES,
) -> LogisticProbe:
    """Fit features (n, d) and class codes (n,), every class present; scikit-learn's minimum.

    Columns are standardised (constant ones become 0), so that no prediction depends on their scale.  The rows are
    then rotated to their principal axes, which changes no prediction and makes the fits fast (:func:`fit_softmax`).
    The penalty is that with the least log loss in up to 5 stratified folds (whole groups, where given); the path runs
    from strong to weak penalties with warm starts and stops once the loss has risen twice, or is below .05 nats
    and falls by less than .005.  A class with one example is never held out, and a fold that would leave a
    class out of training is skipped.  Raises InputError for what does not fit.
    """
    matrix = check_features(features)
    codes = check_labels(labels, len(matrix))
    mean, standard, scale = _standardise(matrix)
    counts = np.bincount(codes)
    if (counts == 0).any():
        raise InputError(
            f"labels must have every class 0..{len(counts) - 1}, class {int(np.argmin(counts))} is missing"
        )
    folds = _folds(codes, groups, generator)
    reason = _why_not(standard, counts, folds)
    if reason is not None:
        log_share = np.log(counts / len(codes))
        nothing = np.zeros((len(mean), len(counts)))
        return LogisticProbe(mean, scale, nothing, log_share, penalty=None, status="failed", reason=reason)
    rotated, axes = _principal_axes(standard)
    losses = _cross_validate(rotated, codes, folds=folds, penalties=penalties)
    penalty = penalties[int(np.argmin(losses))]
    start = (np.zeros((rotated.shape[1], len(counts))), np.zeros(len(counts)))
    weights, intercept, converged = fit_softmax(
        rotated, codes, penalty=penalty, start=start, tolerance=_FINAL_TOLERANCE
    )
    return LogisticProbe(
        mean=mean,
        scale=scale,
        coefficients=axes @ weights,
        intercept=intercept,
        penalty=penalty,
        cv_penalties=tuple(penalties[: len(losses)]),
        cv_log_loss=tuple(losses),
        converged=converged,
    )


def _standardise(matrix: Float[np.ndarray, "n d"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mean, centred = centre(matrix)
    scale = np.sqrt(np.einsum("ij,ij->j", centred, centred) / len(matrix))
    scale[scale <= 4.0 * np.finfo(np.float64).eps * np.abs(mean)] = np.inf
    centred /= scale
    return mean, centred, scale


def _why_not(standard: np.ndarray, counts: np.ndarray, folds: list) -> str | None:
    if not standard.any():
        return CONSTANT_FEATURES
    if len(counts) < 2:
        return CONSTANT_TARGETS
    if not folds:
        return "no class has two examples (in two groups) that a penalty could be chosen with"
    return None


def _principal_axes(standard: Float[np.ndarray, "n d"]) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of the rows along the principal axes they span, and the axes (d, r)."""
    n, d = standard.shape
    if n > d:
        eigenvalues, axes = scatter_eigen(standard.T @ standard)
        axes = axes[:, eigenvalues > eigenvalue_tolerance(float(eigenvalues[-1]), size=d, n_rows=n)]
        return standard @ axes, axes
    left, sizes, right = np.linalg.svd(standard, full_matrices=False)
    kept = sizes > sizes[0] * 1e-8
    return left[:, kept] * sizes[kept], right[kept].T


def _folds(
    codes: Int[np.ndarray, " n"], groups: Any, generator: np.random.Generator
) -> list[tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]]:
    """(train, validation) masks; rows of a class with one example (in one group) are in every training part."""
    units = np.arange(len(codes)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    if units.shape != codes.shape:
        raise InputError(
            f"groups must name one group for each of the {len(codes)} rows, got shape {units.shape}"
        )
    pairs = np.unique(np.stack([codes, units]), axis=1)
    spread = np.bincount(pairs[0], minlength=codes.max() + 1)
    rows = np.flatnonzero(spread[codes] >= 2)
    n_folds = min(_FOLDS, int(spread[spread >= 2].min(initial=_FOLDS)), len(np.unique(units[rows])))
    if n_folds < 2:
        return []
    splitter = StratifiedKFold if groups is None else StratifiedGroupKFold
    split = splitter(n_folds, shuffle=True, random_state=int(generator.integers(2**31)))
    parts = []
    for _, held_out in split.split(rows[:, None], codes[rows], None if groups is None else units[rows]):
        validation = np.zeros(len(codes), dtype=bool)
        validation[rows[held_out]] = True
        if validation.any() and len(np.unique(codes[~validation])) == len(spread):
            parts.append((~validation, validation))
    return parts


def _cross_validate(
    rotated: np.ndarray, codes: np.ndarray, *, folds: list, penalties: tuple[float, ...]
) -> list[float]:
    k = int(codes.max()) + 1
    starts = [(np.zeros((rotated.shape[1], k)), np.zeros(k)) for _ in folds]
    losses: list[float] = []
    for penalty in penalties:
        total, count = 0.0, 0
        for index, (train, validation) in enumerate(folds):
            weights, intercept, _ = fit_softmax(
                rotated[train], codes[train], penalty=penalty, start=starts[index], tolerance=_CV_TOLERANCE
            )
            starts[index] = (weights, intercept)
            held_out = codes[validation]
            log_probabilities = log_softmax(rotated[validation] @ weights + intercept, axis=1)
            total -= float(log_probabilities[np.arange(len(held_out)), held_out].sum())
            count += len(held_out)
        losses.append(total / count)
        risen = len(losses) > 2 and losses[-1] > losses[-2] > losses[-3]
        settled = len(losses) > 1 and losses[-1] < _SMALL_LOSS and losses[-2] - losses[-1] < 0.1 * _SMALL_LOSS
        if risen or settled:
            break
    return losses
