"""How alike two sets of features of the same examples are, up to rotation, shift and scale: debiased linear CKA."""

import math
from typing import Any

import numpy as np
from jaxtyping import Float

from carryover._core.results import Result
from carryover.measures.paired_features import centred_pair
from carryover.numerics.linalg import gram_product

_ROUNDING = 1e-12
"""Of the square of the total variance: below it HSIC_1 of features with themselves is rounding."""


def unbiased_hsic(first: Float[np.ndarray, "n d1"], second: Float[np.ndarray, "n d2"]) -> float:
    """Unbiased estimate of ||Cov(x, y)||_F^2 from n >= 4 pairs of rows: HSIC_1 with linear kernels.

        HSIC_1 = [tr(K L) + 1'K1 1'L1 / ((n-1)(n-2)) - 2/(n-2) 1'K L1] / (n (n-3))

    K and L are the Gram matrices X X^T and Y Y^T *with their diagonals set to zero*.  Neither is formed where the
    features are the smaller side: with k = diag(X X^T), tr(K L) = ||X^T Y||_F^2 - k.l and K 1 = X X^T 1 - k.
    Shifts of either change nothing but rounding; centre them first.
    Reference: Song, Smola, Gretton, Bedo, Borgwardt, JMLR 13 (2012), eq. 5.

    >>> unbiased_hsic(np.array([[1.0], [-1.0], [1.0], [-1.0]]), np.array([[1.0], [1.0], [-1.0], [-1.0]]))
    -1.3333333333333335
    """
    n = len(first)
    k, l = (np.einsum("ij,ij->i", rows, rows) for rows in (first, second))  # noqa: E741
    k_sums, l_sums = first @ first.sum(axis=0) - k, second @ second.sum(axis=0) - l
    trace = gram_product(first, second) - float(k @ l)
    sums = float(k_sums.sum()) * float(l_sums.sum()) / ((n - 1) * (n - 2))
    return (trace + sums - 2.0 / (n - 2) * float(k_sums @ l_sums)) / (n * (n - 3))


def debiased_cka(first: Any, second: Any) -> Result:
    """HSIC_1(X, Y) / sqrt(HSIC_1(X, X) HSIC_1(Y, Y)) of features (n, d1) and (n, d2) of the same n >= 4 examples.

    1 for features that are rotations, shifts and positive multiples of each other, about 0 (either sign) for
    independent ones, also where the features outnumber the examples, which brings the plain estimate near 1 whatever
    they are.  A ratio of unbiased estimates, not itself unbiased; it can exceed 1 by sampling noise.
    ``stats``: the three HSIC_1, of features divided by their root mean square.  Failed where that of one with itself
    is not positive.  Reference: Kornblith, Norouzi, Lee, Hinton, ICML 2019; the debiased form: Nguyen, Raghu,
    Kornblith, ICLR 2021.  Raises InputError for fewer than 4 rows, unequal numbers, or values not finite.
    """
    pair = centred_pair(first, second, least=4)
    if not pair.ok:
        return pair
    x, y = pair.value
    own_x, own_y, both = unbiased_hsic(x, x), unbiased_hsic(y, y), unbiased_hsic(x, y)
    stats = {"hsic": both, "hsic_first": own_x, "hsic_second": own_y}
    for name, own, rows in (("first", own_x, x), ("second", own_y, y)):
        if own <= _ROUNDING * rows.shape[1] ** 2:
            reason = f"the variance of {name} cannot be told from noise with {len(x)} examples: give more"
            return Result(status="failed", reason=reason, stats=stats)
    return Result(both / math.sqrt(own_x) / math.sqrt(own_y), stats=stats)
