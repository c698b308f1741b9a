"""All scores that one eigendecomposition gives: LogME, H-score and the leave-one-out ridge probe."""

from typing import Any

from carryover._core.results import Result
from carryover.measures.hscore import h_score_from_spectrum
from carryover.measures.logme import logme_from_spectrum
from carryover.measures.moments import check_matrix
from carryover.measures.ridge_loo import ridge_loo_from_spectrum
from carryover.measures.ridge_setup import Task, check_task_targets
from carryover.measures.spectrum import spectrum_from_rows


def linear_scores(
    features: Any, targets: Any, *, task: Task = "classification", n_classes: int | None = None
) -> dict[str, Result]:
    """``logme``, ``h_score`` and ``ridge_loo`` of the same rows, each equal to what its own function returns.

    One Gram matrix, one eigendecomposition and one more pass over the rows; for regression ``h_score`` is
    not_applicable.  Raises InputError as :func:`ridge_loo` does.

    >>> scores = linear_scores([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])
    >>> sorted(scores), scores["ridge_loo"].value
    (['h_score', 'logme', 'ridge_loo'], 1.0)
    """
    matrix = check_matrix(features)
    values, counted = check_task_targets(task, targets, n=len(matrix), n_classes=n_classes)
    spectrum = spectrum_from_rows(matrix, values, counted)
    if task == "classification":
        h_value = h_score_from_spectrum(spectrum)
    else:
        h_value = Result(status="not_applicable", reason="the H-score is defined for class labels only")
    return {
        "logme": logme_from_spectrum(spectrum),
        "h_score": h_value,
        "ridge_loo": ridge_loo_from_spectrum(spectrum, matrix, values),
    }
