"""TransRate: how many more nats the features need to be coded without the labels than with them."""

import numpy as np
from jaxtyping import Float, Int

from carryover._core.checks import check_features, check_labels, check_range
from carryover._core.results import Result
from carryover.measures.unit_scale import unit_scale

DISTORTION = 1e-4
"""Squared distortion of an entry, in units of the entries' mean square."""


def coding_rate(rows: Float[np.ndarray, "n d"], *, distortion: float = DISTORTION) -> float:
    """R(Z) = 1/2 log det(I + Z^T Z / (n distortion)), from the Gram matrix of the smaller side; nats.

    Reference: Ma, Derksen, Hong, Wright, IEEE TPAMI 29 (2007), eq. 5 (with their factor d in the distortion).

    >>> round(coding_rate(np.array([[1.0], [1.0]]), distortion=1.0), 6)
    0.346574
    """
    n, d = rows.shape
    gram = rows @ rows.T if n < d else rows.T @ rows
    gram /= n * distortion
    gram[np.diag_indices_from(gram)] += 1.0
    return float(np.log(np.diagonal(np.linalg.cholesky(gram))).sum())


def transrate(
    features: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    *,
    distortion: float = DISTORTION,
) -> Result:
    """TransRate = R(Z) - sum_c (n_c/n) R(Z_c), Z the features centred *over all classes*; nats, >= 0, higher is better.

    Scale convention: Z is divided by its root mean square over all entries, so ``distortion`` (1e-4) is
    relative to the features' own variance and the score ignores shifts and positive factors as well as
    rotations and permutations.  Classes are weighted by their frequency, which is what makes
    R(Z | Y) the rate of coding each example given its class; the paper's 1/K is the balanced case.  By
    concavity of log det the value is never negative.  Fails where no feature varies.
    Reference: Huang, Huang, Rong, Yang, Wei, *Frustratingly easy transferability estimation*, ICML 2022,
    section 3.  Raises InputError where features are not finite, lengths differ, or distortion <= 0.

    >>> round(transrate(np.array([[-1.0], [1.0]]), np.array([0, 1]), distortion=1.0).value, 12)
    0.0
    """
    check_range("distortion", distortion, 0, np.inf, open_low=True, open_high=True)
    features = check_features(features)
    labels = check_labels(labels, len(features))
    scaled = unit_scale(features)
    if not scaled.ok:
        return scaled
    counts = np.bincount(labels)
    rates = [
        count / len(labels) * coding_rate(scaled.value[labels == label], distortion=distortion)
        for label, count in enumerate(counts)
        if count
    ]
    within = float(sum(rates))
    whole = coding_rate(scaled.value, distortion=distortion)
    return Result(max(whole - within, 0.0), stats={"rate": whole, "rate_given_class": within})
