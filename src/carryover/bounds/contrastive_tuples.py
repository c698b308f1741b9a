"""Tuples of the contrastive theory from labelled examples, none used twice, so that they are independent draws."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from carryover._core.errors import InputError

USED_SHARE = 0.6


@dataclass(frozen=True)
class DisjointTuples:
    """Rows of ``anchors`` (m,), ``positives`` (m, b) and ``negatives`` (m, b), of tuples that could be ``filled`` (m,).

    ``collided`` (m,) says where both classes are one.  A tuple whose class had too few unused rows left is not filled
    and its rows are 0: give it the largest loss, which keeps an upper bound one.
    """

    anchors: Int[np.ndarray, " m"]
    positives: Int[np.ndarray, "m b"]
    negatives: Int[np.ndarray, "m b"]
    collided: Bool[np.ndarray, " m"]
    filled: Bool[np.ndarray, " m"]


def disjoint_tuples(
    labels: Int[np.ndarray, " n"],
    *,
    class_shares: Float[np.ndarray, " k"],
    block: int = 1,
    generator: np.random.Generator,
) -> DisjointTuples:
    """Tuples (x, b positives, b negatives): classes c, c' independent from the shares, rows of them unused so far.

    Their number, 60 % of what n rows would give, is fixed before any class is drawn, so that no tuple depends on how
    others turned out; the rest of the rows is a reserve for classes that come up more often.  Given the labels the
    rows of a class are independent draws from it, hence so are the tuples.  Raises InputError for a block < 1, labels
    without a share, and too few rows for one tuple.

    >>> labels, fair = np.arange(40) % 2, np.array([0.5, 0.5])
    >>> drawn = disjoint_tuples(labels, class_shares=fair, generator=np.random.default_rng(0))
    >>> len(drawn.anchors), bool(drawn.filled.all())
    (8, True)
    """
    if block < 1:
        raise InputError(f"block must be at least 1, got {block}")
    if labels.min(initial=0) < 0 or labels.max(initial=0) >= len(class_shares):
        raise InputError(
            f"labels must be codes of the {len(class_shares)} classes with a share, got {labels.max()}"
        )
    count = int(USED_SHARE * len(labels) / (1 + 2 * block))
    if count < 1:
        raise InputError(f"{len(labels)} rows make no tuple with blocks of {block}: give more")
    classes = generator.choice(len(class_shares), size=(count, 2), p=class_shares)
    unused = [list(generator.permutation(np.flatnonzero(labels == one))) for one in range(len(class_shares))]
    rows, filled = np.zeros((count, 1 + 2 * block), dtype=np.int64), np.zeros(count, dtype=bool)
    for place, (own, other) in enumerate(classes):
        needed = {own: 1 + block} if own != other else {own: 1 + 2 * block}
        needed.setdefault(other, block)
        if all(len(unused[one]) >= number for one, number in needed.items()):
            taken = [unused[own].pop() for _ in range(1 + block)] + [
                unused[other].pop() for _ in range(block)
            ]
            rows[place], filled[place] = taken, True
    return DisjointTuples(
        rows[:, 0], rows[:, 1 : 1 + block], rows[:, 1 + block :], classes[:, 0] == classes[:, 1], filled
    )
