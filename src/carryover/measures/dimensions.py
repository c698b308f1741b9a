"""How many directions features use, and how many of them two sets of features share."""

from typing import Any

import numpy as np
from jaxtyping import Float

from carryover._core.results import Result
from carryover.measures.paired_features import centred_pair, check_rows
from carryover.measures.unit_scale import unit_scale
from carryover.numerics.linalg import gram_product


def participation_ratio(features: Any) -> Result:
    """PR = 1 / tr(C^2) of features (n, d), C the Gram matrix of the *centred* rows divided by its trace.

    Between 1 (one direction) and min(n - 1, d) (all with equal variance); with eigenvalues s of the scatter,
    (sum s)^2 / sum s^2.  Without centring the mean would count as a direction, often the largest.  Failed where no
    feature varies.  Raises InputError for fewer than 2 rows or values that are not finite.

    >>> round(participation_ratio([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]).value, 12)
    2.0
    """
    scaled = unit_scale(check_rows(features))
    return Result(_ratio(scaled.value)) if scaled.ok else scaled


def _ratio(centred: Float[np.ndarray, "n d"]) -> float:
    return float(np.vdot(centred, centred)) ** 2 / gram_product(centred, centred)


def shared_dimensions(first: Any, second: Any) -> Result:
    """ENSD = PR(C1) PR(C2) tr(C1 C2): the effective number of directions that two sets of features share.

    C1 and C2 are as in :func:`participation_ratio`, from features (n, d1) and (n, d2) of the same examples.
    ``stats``: ``participation_first``, ``participation_second`` and ``share`` = ENSD / PR(C2).  With features before
    fine-tuning first: a share near 1 and a smaller second ratio mean that fine-tuning kept a subset of the
    directions, near 0 that it made new ones.  Two Gram matrices that are projectors of rank r, the second
    inside the first, share r; of orthogonal ones, 0.  Failed where one does not vary.
    Reference: Giaffar, Buxo, Aoi, AISTATS 2024 (ENSD); its use for fine-tuning: Lippl and Lindsey, arXiv 2310.02396.
    Raises InputError for fewer than 2 rows, unequal numbers, or values that are not finite.

    >>> found = shared_dimensions([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], [[1.0], [-1.0], [0.0], [0.0]])
    >>> round(found.value, 12), round(found.stats["share"], 12)
    (1.0, 1.0)
    """
    pair = centred_pair(first, second, least=2)
    if not pair.ok:
        return pair
    x, y = pair.value
    ratios = _ratio(x), _ratio(y)
    traces = float(np.vdot(x, x)) * float(np.vdot(y, y))
    value = ratios[0] * ratios[1] * gram_product(x, y) / traces
    stats = {
        "participation_first": ratios[0],
        "participation_second": ratios[1],
        "share": value / ratios[1],
    }
    return Result(value, stats=stats)
