"""Pairs of examples and masks that say which of each pair was trained on: checks, means, information."""

import math
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.special import entr
from scipy.stats import binomtest

from carryover._core.errors import InputError
from carryover._core.results import Assumption

_ONE_SIDED_PAIRS = 0.05
_UNFAIR = 1e-3


def masks_needed(n_pairs: int) -> int:
    """The least m for which m fair masks leave no pair of n always on one side, with probability .95.

        n 2^(1 - m) <= .05

    >>> [masks_needed(n) for n in (1, 100, 5000)]
    [6, 12, 18]
    """
    if n_pairs < 1:
        raise InputError(f"n_pairs must be at least 1, got {n_pairs}")
    return math.ceil(1 + math.log2(n_pairs / _ONE_SIDED_PAIRS))


def check_masks(masks: Any) -> Int[np.ndarray, "m n"]:
    """Masks (m, n) of 0 and 1: mask[r, i] is the member of pair i that run r was trained on.

    Raises InputError for other values, for fewer masks than :func:`masks_needed` says, and where a pair has the
    same mask in every run, as then nothing is known of what it would have been otherwise.
    """
    array = np.asarray(masks)
    if array.ndim != 2 or 0 in array.shape or not np.isin(array, (0, 1)).all():
        raise InputError(f"masks must be a matrix (runs, pairs) of 0 and 1, got shape {array.shape}")
    n_masks, n_pairs = array.shape
    needed = masks_needed(n_pairs)
    if n_masks < needed:
        raise InputError(f"{n_masks} masks are too few for {n_pairs} pairs: at least {needed} are needed")
    one_sided = np.flatnonzero((array == array[0]).all(axis=0))
    if len(one_sided):
        raise InputError(
            f"{len(one_sided)} pairs, the first of them {one_sided[0]}, have the same mask in all {n_masks} runs: "
            f"train with more masks; {needed} fair ones suffice for {n_pairs} pairs 19 times in 20"
        )
    return array.astype(np.int64)


def check_paired(values: Any, masks: Int[np.ndarray, "m n"], name: str) -> np.ndarray:
    """An array (m, n, 2) with an entry for both members of each pair in each run."""
    array = np.asarray(values)
    if array.shape != (*masks.shape, 2):
        raise InputError(f"{name} must have shape (runs, pairs, 2) = {(*masks.shape, 2)}, got {array.shape}")
    return array


def check_errors(losses: Any, masks: Int[np.ndarray, "m n"]) -> Int[np.ndarray, "m n two"]:
    """Losses (m, n, 2) that are 0 or 1."""
    array = check_paired(losses, masks, "losses")
    outside = ~np.isin(array, (0, 1))
    if outside.any():
        run, pair, member = (int(place[0]) for place in np.nonzero(outside))
        raise InputError(
            f"losses must be 0 or 1, got {array[run, pair, member]} in run {run}, pair {pair}, member {member}"
        )
    return array.astype(np.int64)


def mask_assumptions(masks: Int[np.ndarray, "m n"], *, drawn_here: bool = False) -> tuple[Assumption, ...]:
    """Fair masks (violated where their share of ones has a p-value below .001), and training on them alone.

    ``drawn_here``: the caller drew the masks and trained on them, so that both are known.
    """
    fair = binomtest(int(masks.sum()), masks.size).pvalue >= _UNFAIR
    known = "checked" if drawn_here else "not_checkable"
    return (
        Assumption(
            "In each run the masks are fair coins, independent of the examples and of each other.",
            known if fair else "violated",
        ),
        Assumption("Each run was trained on the members its mask names and on no other of the pairs.", known),
    )


def balanced_masks(n_masks: int, n_pairs: int, *, generator: np.random.Generator) -> Int[np.ndarray, "m n"]:
    """Masks (m, n) that name each member of a pair in half of the runs (for odd m, in one more or less).

    In any one run they are fair coins, independent between pairs, which is all that the bounds need; no pair is
    always on one side.

    >>> balanced_masks(6, 3, generator=np.random.default_rng(0)).sum(axis=0).tolist()
    [3, 3, 3]
    """
    order = generator.random((n_masks, n_pairs)).argsort(axis=0)
    ones = n_masks // 2 + (n_masks % 2) * generator.integers(0, 2, n_pairs)
    return (order < ones).astype(np.int64)


def side_means(values: Int[np.ndarray, "m n two"], masks: Int[np.ndarray, "m n"]) -> tuple[float, float]:
    """Mean over pairs of the value at the member trained on and at the other; both masks of a pair count alike."""
    ones = masks.mean(axis=0)
    weights = np.where(masks == 1, 0.5 / ones, 0.5 / (1 - ones)) / masks.size
    trained = np.take_along_axis(values, masks[:, :, None], axis=2)[:, :, 0]
    other = np.take_along_axis(values, 1 - masks[:, :, None], axis=2)[:, :, 0]
    return float((weights * trained).sum()), float((weights * other).sum())


def outcome_ranks(outcomes: Int[np.ndarray, "m n"]) -> Int[np.ndarray, "m n"]:
    """Each pair's outcomes over the runs, renamed 0, 1, ... in their order.

    >>> import numpy as np
    >>> outcome_ranks(np.array([[7, 1], [3, 1], [7, 0]])).tolist()
    [[1, 1], [0, 1], [1, 0]]
    """
    order = np.argsort(outcomes, axis=0, kind="stable")
    ordered = np.take_along_axis(outcomes, order, axis=0)
    ranks = np.zeros_like(order)
    ranks[1:] = np.cumsum(ordered[1:] != ordered[:-1], axis=0)
    result = np.empty_like(ranks)
    np.put_along_axis(result, order, ranks, axis=0)
    return result


def mask_information(ranks: Int[np.ndarray, "m n"], masks: Int[np.ndarray, "m n"]) -> Float[np.ndarray, " n"]:
    """Plug-in information (nats) between each pair's outcome and its mask, the mask's law being known: (1/2, 1/2).

        H((P0 + P1)/2) - (H(P0) + H(P1))/2,    P0, P1 the frequencies of outcomes in the runs with mask 0 and 1

    Given the masks P0 and P1 are unbiased and the expression is jointly convex in them, so its expectation is
    never below the information itself.  (With frequencies for the mask's law too, as is common, that is not
    known.)

    >>> import numpy as np
    >>> mask_information(np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([[0, 0], [0, 0], [1, 1], [1, 1]]))
    array([0.69314718, 0.        ])
    """
    n_pairs, size = ranks.shape[1], int(ranks.max()) + 1
    cells = (2 * np.arange(n_pairs) + masks) * size + ranks
    counts = np.bincount(cells.ravel(), minlength=2 * n_pairs * size).reshape(n_pairs, 2, size)
    shares = counts / counts.sum(axis=2, keepdims=True)
    mixed = entr(shares.mean(axis=1)).sum(axis=1)
    return np.maximum(mixed - entr(shares).sum(axis=2).mean(axis=1), 0.0)
