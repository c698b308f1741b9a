"""Linear heads that the bounds fit themselves, on rows of unit length with a constant feature appended."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import eigh

Head = tuple[np.ndarray, np.ndarray]
"""Coefficients (k, d) and intercept (k,)."""
PENALTIES = tuple(float(penalty) for penalty in 10.0 ** np.arange(-4, 2))


def unit_rows(features: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Each row divided by its length; a row of zeros stays.  A fixed map: it looks at no other row.

    >>> import numpy as np
    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    largest = np.maximum(features.max(axis=1, keepdims=True), -features.min(axis=1, keepdims=True))
    scaled = features / np.where(largest > 0, largest, 1.0)
    length = np.sqrt(np.einsum("ij,ij->i", scaled, scaled))[:, None]
    scaled /= np.where(length > 0, length, 1.0)
    return scaled


def ridge_heads(
    rows: Float[np.ndarray, "n d"], labels: Int[np.ndarray, " n"], n_classes: int
) -> Iterator[Head]:
    """Ridge regressions on centred one-hot codes for a path of penalties; the classes' coefficients sum to 0."""
    return ridge_path(rows, centred_codes(labels, n_classes))


def fit_ridge_head(rows: Float[np.ndarray, "n d"], labels: Int[np.ndarray, " n"], *, n_classes: int) -> Head:
    """The ridge head of the penalty that errs least on every third row when fitted to the others, fitted to all."""
    codes = centred_codes(labels, n_classes)
    judged = np.arange(len(rows)) % 3 == 2
    best = len(PENALTIES) - 1
    if judged.any():
        wrong = [
            ((rows[judged] @ coefficients.T + intercept).argmax(axis=1) != labels[judged]).mean()
            for coefficients, intercept in ridge_path(rows[~judged], codes[~judged])
        ]
        best = int(np.argmin(wrong))
    return list(ridge_path(rows, codes))[best]


def head_parameters(head: Head) -> Float[np.ndarray, "p d_and_1"]:
    """What a head's predictions depend on: one row w_1 - w_0 with its intercept for two classes, else a row for each
    class, less their mean.
    """
    both = np.column_stack(head)
    return both[1:] - both[:1] if len(both) == 2 else both - both.mean(axis=0)


def head_of_parameters(parameters: Float[np.ndarray, "p d_and_1"]) -> Head:
    """A head with these parameters."""
    both = np.vstack([-parameters / 2, parameters / 2]) if len(parameters) == 1 else parameters
    return both[:, :-1], both[:, -1]


def centred_codes(labels: Int[np.ndarray, " n"], n_classes: int) -> Float[np.ndarray, "n k"]:
    """One-hot codes less 1/K: each row sums to 0.

    >>> import numpy as np
    >>> centred_codes(np.array([1]), 2).tolist()
    [[-0.5, 0.5]]
    """
    return np.eye(n_classes)[labels] - 1 / n_classes


def ridge_path(rows: Float[np.ndarray, "n d"], targets: Float[np.ndarray, "n k"]) -> Iterator[Head]:
    """Coefficients (k, d) and intercept (k,) for each of ``PENALTIES``, from one eigendecomposition.

    The penalty is added to the mean square of the features in each principal direction.  A constant feature of
    size 1 is penalised like the others and comes back as the intercept.
    """
    n = len(rows)
    if n <= rows.shape[1]:
        values, vectors = eigh(rows @ rows.T + 1.0)
        shared = vectors.T @ targets
    else:
        gram = np.empty((rows.shape[1] + 1,) * 2)
        gram[:-1, :-1] = rows.T @ rows
        gram[-1, :-1] = gram[:-1, -1] = rows.sum(axis=0)
        gram[-1, -1] = n
        values, vectors = eigh(gram, overwrite_a=True)
        shared = vectors.T @ np.vstack([rows.T @ targets, targets.sum(axis=0)])
    for penalty in PENALTIES:
        solution = vectors @ (shared / (np.maximum(values, 0.0) + n * penalty)[:, None])
        if n <= rows.shape[1]:
            yield solution.T @ rows, solution.sum(axis=0)
        else:
            yield solution[:-1].T, solution[-1]
