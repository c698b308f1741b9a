"""What collisions cost the minimiser of a contrastive loss, and how far it is from its sample, as estimates."""

import math

import numpy as np
from jaxtyping import Float, Int

from carryover._core.checks import check_range
from carryover._core.errors import InputError
from carryover.bounds.base import check_confidence
from carryover.bounds.contrastive import collision_probability, largest_contrastive_loss, named_loss


def collision_spread(
    features: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    *,
    class_shares: Float[np.ndarray, " k"],
) -> float:
    """s(f) = mean over c ~ nu of sqrt(||Cov(f|c)||_2) E[||f|| | c],   nu(c) = rho(c)^2 / tau.

    Where x, x+, x- are of one class c, v = f(x)^T (f(x+) - f(x-)) is symmetric about 0, so that its loss is on
    average E[loss(v) + loss(-v)]/2 <= 1 + slope E|v|/2, and E|v| <= E||f|| sqrt(2 ||Cov||_2): L_un^= - 1 <= slope
    s / sqrt 2.  Covariances and means are those of the rows.  Reference: Arora et al., ICML 2019, theorem 4.5.
    Raises InputError where a class of positive share has no row.

    >>> import numpy as np
    >>> rows = np.array([[1.0, 1.0], [1.0, -1.0], [0.0, 1.0]])
    >>> round(collision_spread(rows, np.array([0, 0, 1]), class_shares=np.array([0.5, 0.5])), 6)
    0.707107
    """
    total, tau = 0.0, collision_probability(class_shares)
    for label in np.flatnonzero(class_shares > 0):
        rows = features[labels == label]
        if len(rows) == 0:
            raise InputError(f"class {label} has share {class_shares[label]} and no row")
        largest = np.linalg.norm(rows - rows.mean(axis=0), ord=2) / math.sqrt(len(rows))
        length = float(np.linalg.norm(rows, axis=1).mean())
        total += float(class_shares[label]) ** 2 / tau * float(largest) * length
    return total


def generalization_term(
    complexity: float, *, n_tuples: int, radius: float, loss: str, confidence: float = 0.95
) -> float:
    """Gen_M: with the given confidence the minimiser's L_un exceeds that of any one f in the class by no more.

        2 sqrt(12) slope R Rad_S / M + 4 B sqrt(log(2/risk) / (2M))

    ``complexity`` Rad_S = E max over f of the sum of signs times all 3 d M outputs on the tuples at hand (a sum,
    not a mean); features have length <= ``radius`` R, losses lie in [0, B].  The loss as a function of the three
    features has slope <= slope sqrt(|p - n|^2 + 2|a|^2) <= sqrt 6 slope R, and contraction of vectors adds sqrt 2
    (Maurer, ALT 2016).  The deviation less twice the empirical complexity moves by at most 3B/M with one tuple,
    the mean loss of the one f by B/M: each has half the risk.  The published order is the same, R Rad_S/M + R^2
    sqrt(log(1/risk)/M) (Arora et al., theorem 4.1), without constants.  Raises InputError for a negative
    complexity or no tuples.
    """
    risk = check_confidence(confidence)
    check_range("complexity", complexity, 0, math.inf)
    check_range("n_tuples", n_tuples, 1, math.inf)
    largest = largest_contrastive_loss(radius, loss=loss)
    slope = named_loss(loss).slope
    deviation = 4 * largest * math.sqrt(math.log(2 / risk) / (2 * n_tuples))
    return 2 * math.sqrt(12) * slope * radius * complexity / n_tuples + deviation


def minimiser_terms(
    apart: float, spread: float, *, collision: float, generalization: float, loss: str
) -> dict[str, float]:
    """Terms whose sum is no less than L_sup^mu of the minimiser of the empirical loss over a class of encoders.

        L_un^!=(f) + slope tau / (sqrt 2 (1 - tau)) s(f) + Gen_M / (1 - tau),    for every f in the class

    ``apart`` = L_un^!=(f) and ``spread`` = s(f) are those of one f of the class, which need not be the minimiser.
    An estimate and no :class:`Bound`: of a trained network it is not known that it minimises its loss over a
    class, nor what the class and its Rad_S are.  For a fixed encoder
    :func:`carryover.bounds.contrastive.contrastive_bound` needs neither.  Reference: Arora et al., ICML 2019,
    theorem 4.5.
    Raises InputError for negative terms or a collision probability outside [0, 1).
    """
    check_range("collision", collision, 0, 1, open_high=True)
    for name, value in (("apart", apart), ("spread", spread), ("generalization", generalization)):
        check_range(name, value, 0, math.inf)
    return {
        "apart": apart,
        "collision": named_loss(loss).slope / math.sqrt(2) * collision / (1 - collision) * spread,
        "generalization": generalization / (1 - collision),
    }
