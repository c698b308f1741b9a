"""Scores of unseen rows by a ridge probe, and nothing else: what a learning curve fits hundreds of times."""

import numpy as np
from jaxtyping import Float, Num

from carryover.measures.leave_one_out import path_errors, path_weights
from carryover.measures.moments import check_targets
from carryover.measures.ridge_setup import coordinate_blocks, penalty_path, select_penalty
from carryover.measures.spectrum import centre, spectrum_from_rows


def ridge_scores(
    train: Float[np.ndarray, "n d"],
    targets: Num[np.ndarray, " n"],
    test: Float[np.ndarray, "t d"],
    *,
    n_classes: int | None,
) -> Float[np.ndarray, "t k"]:
    """Equal to ``fit_ridge_path(train, targets, ...).predict_scores(test)``, without the rest of the path.

    The penalty is selected there and here by exact leave-one-out; the temperature, the leave-one-out scores
    and the checks of the rows, most of the time where the rows are few, are left out.  ``n_classes`` is None
    for regression.
    """
    values, counted = check_targets(targets, len(train), n_classes)
    spectrum = spectrum_from_rows(train, values, counted)
    penalties = penalty_path(spectrum, None)
    errors = path_errors(
        path_weights(spectrum, penalties), coordinate_blocks(spectrum, train, values), n_classes=counted
    )
    shrinkage = 1 / (spectrum.eigenvalues[:, None] + penalties[select_penalty(errors)])
    if spectrum.left is None:
        coefficients = spectrum.directions @ (spectrum.cross * shrinkage)
    else:
        coefficients = centre(train)[1].T @ (spectrum.left @ (spectrum.left_targets * shrinkage))
    return (test - spectrum.mean) @ coefficients + spectrum.target_mean
