"""Leave-one-out nearest neighbours: the plainest reading of what lies close to what."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int, Num

from carryover._core.checks import check_features, check_labels, check_range
from carryover._core.results import Result

NEIGHBOURS = 5
CHUNK_ENTRIES = 4_000_000
"""Similarities held at once: 32 MB, whatever the number of examples."""

_TIE = 1e-10


def knn(features: Num[np.ndarray, "n d"], labels: Int[np.ndarray, " n"], *, k: int = NEIGHBOURS) -> Result:
    """Leave-one-out accuracy of the k nearest neighbours by cosine similarity; in [0, 1], higher is better.

    Neighbours tied at the k-th similarity (within 1e-10) share the places that are left, and an example
    whose vote is tied counts as one over the number of winning classes, so the value does not depend on
    the order of the rows.  A row of zeros has similarity 0 to every other.  ``k`` is cut to n - 1 (see
    ``stats["k"]``); fails for n = 1.  Unchanged by rotations, by positive factors (also one for each row),
    and by permutations; a shift changes it.  Memory is bounded by blocks of rows.
    Raises InputError where features are not finite, lengths differ, or k < 1.

    >>> knn(np.array([[1.0, 0.0], [2.0, 0.1], [0.0, 1.0], [0.1, 3.0]]), np.array([0, 0, 1, 1]), k=1).value
    1.0
    """
    features, k = _checked(features, k)
    labels = check_labels(labels, len(features))
    if k < 1:
        return Result(status="failed", reason="nearest neighbours need at least 2 examples, got 1")
    members = np.zeros((len(labels), labels.max() + 1))
    members[np.arange(len(labels)), labels] = 1.0

    def correct(rows: slice, weights: np.ndarray) -> np.ndarray:
        votes = weights @ members
        winning = votes >= votes.max(axis=1, keepdims=True) - 1e-9
        own = labels[rows]
        return winning[np.arange(len(own)), own] / winning.sum(axis=1)

    return Result(float(_over_blocks(features, k, correct).mean()), stats={"k": k})


def knn_regression(
    features: Num[np.ndarray, "n d"], targets: Float[np.ndarray, " n"], *, k: int = NEIGHBOURS
) -> Result:
    """Leave-one-out R^2 of the mean target of the k nearest neighbours by cosine similarity; in (-inf, 1].

    R^2 = 1 - sum (y - yhat)^2 / sum (y - mean y)^2.  Ties and rows of zeros as in :func:`knn`.  Fails for a
    constant target.
    """
    features, k = _checked(features, k)
    if k < 1:
        return Result(status="failed", reason="nearest neighbours need at least 2 examples, got 1")
    centred = targets - targets.mean()
    total = float(centred @ centred)
    if total <= 1e-26 * float(targets @ targets):
        return Result(
            status="failed", reason="the target is constant, so no share of its variance is explained"
        )

    def squared_error(rows: slice, weights: np.ndarray) -> np.ndarray:
        return (centred[rows] - weights @ centred / k) ** 2

    return Result(1 - float(_over_blocks(features, k, squared_error).sum()) / total, stats={"k": k})


def _checked(features: np.ndarray, k: int) -> tuple[np.ndarray, int]:
    """Rows of length 1 (or 0), and k cut to the number of other rows."""
    features = check_features(features)
    check_range("k", k, 1, np.inf)
    largest = np.abs(features).max(axis=1, keepdims=True)
    scaled = np.divide(features, largest, out=np.zeros_like(features), where=largest > 0)
    length = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.divide(scaled, length, out=scaled, where=length > 0), min(k, len(features) - 1)


def _over_blocks(
    directions: np.ndarray, k: int, answer: Callable[[slice, np.ndarray], np.ndarray]
) -> np.ndarray:
    """``answer(rows, weights)`` for blocks of rows, weights (rows, n) summing to k over the nearest others."""
    n = len(directions)
    block = max(1, CHUNK_ENTRIES // n)
    answers = np.empty(n)
    for start in range(0, n, block):
        rows = slice(start, min(start + block, n))
        similarity = directions[rows] @ directions.T
        own = np.arange(rows.start, rows.stop)
        similarity[own - start, own] = -np.inf
        answers[rows] = answer(rows, _neighbour_weights(similarity, k))
    return answers


def _neighbour_weights(similarity: np.ndarray, k: int) -> np.ndarray:
    """1 for what is nearer than the k-th neighbour, an equal share of the rest for what is as near as it."""
    n = similarity.shape[1]
    kth = np.partition(similarity, n - k, axis=1)[:, n - k, None]
    nearer = similarity > kth + _TIE
    tied = (similarity >= kth - _TIE) & ~nearer
    left = (k - nearer.sum(axis=1, keepdims=True)) / tied.sum(axis=1, keepdims=True)
    return nearer + tied * left
