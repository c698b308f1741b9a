"""NCE: the negative conditional entropy of the labels given the source classes."""

import numpy as np
from jaxtyping import Float, Int
from scipy.special import xlogy

from carryover._core.checks import check_labels
from carryover._core.results import Result


def nce(source_labels: Int[np.ndarray, " n"], labels: Int[np.ndarray, " n"]) -> Result:
    """NCE = -H(Y | Z) = sum_{y,z} P(y, z) log P(y | z) with empirical P; in [-log K, 0], higher is better.

    ``source_labels`` are codes of the source head's predicted class; a code that never occurs contributes
    nothing.  Unchanged by permuting examples, target classes or source classes.
    Reference: Tran, Nguyen, Hassner, *Transferability and hardness of supervised classification tasks*,
    ICCV 2019, eq. 6.  Raises InputError where lengths differ or codes are negative.

    >>> round(nce(np.array([0, 0, 2, 2]), np.array([0, 1, 1, 1])).value, 6)
    -0.346574
    """
    source_labels = check_labels(source_labels, name="source_labels")
    labels = check_labels(labels, len(source_labels))
    counts = np.zeros((labels.max() + 1, source_labels.max() + 1))
    np.add.at(counts, (labels, source_labels), 1.0)
    return nce_from_counts(counts)


def nce_from_counts(counts: Float[np.ndarray, "K Z"]) -> Result:
    """NCE from the joint table of counts (tables of shards add): sum c log(c / column sum) / sum c.

    >>> nce_from_counts(np.array([[2.0, 0.0], [0.0, 3.0]])).value
    0.0
    """
    columns = counts.sum(axis=0)
    total = float((xlogy(counts, counts).sum() - xlogy(columns, columns).sum()) / counts.sum())
    return Result(min(total, 0.0))
