"""H-score with the Ledoit-Wolf covariance: how much of the features' variance lies between classes."""

from typing import Any

from carryover._core.errors import InputError
from carryover._core.results import Result
from carryover.measures.moments import FeatureMoments
from carryover.measures.ridge_setup import failure_reason
from carryover.measures.spectrum import FeatureSpectrum, spectrum_from_moments, spectrum_from_rows

_ISOTROPIC = 1e-14  # of ||S||_F^2: S is a multiple of the identity up to rounding, as always where d = 1


def h_score(features: Any, labels: Any, *, n_classes: int | None = None) -> Result:
    """(1 - a) trace(S_a^{-1} B) with S_a = (1 - a) S + a (trace S / d) I, of features (n, d) and class codes (n,).

    S is the covariance of the features (divided by n), B that of their class means weighted by the classes'
    shares, and a in [0, 1] the shrinkage of Ledoit and Wolf (J. Multivariate Analysis 2004).  Without shrinkage
    (Bao et al., ICIP 2019) the value is useless where d is not far below n (Ibrahim, Ponomareva and Mazumder,
    arXiv 2110.06893, whose shrunk form this is).  It lies in [0, K - 1]; no units.

    ``stats``: shrinkage.  Failed where features or labels are constant.  Invariant to rotation, positive scaling and
    translation of the features and to the order of rows and classes.  Raises InputError for real-valued labels and
    for what is not finite.

    >>> round(h_score([[0.0], [1.0], [4.0], [5.0]], [0, 0, 1, 1]).value, 4)
    0.9412
    """
    return h_score_from_spectrum(spectrum_from_rows(features, labels, n_classes))


def h_score_from_moments(moments: FeatureMoments) -> Result:
    """:func:`h_score` of the rows that the moments were summed from."""
    return h_score_from_spectrum(spectrum_from_moments(moments))


def h_score_from_spectrum(spectrum: FeatureSpectrum) -> Result:
    """:func:`h_score` where the eigendecomposition is known."""
    counts = spectrum.class_counts
    if counts is None:
        raise InputError(
            "labels must be integer class codes: the H-score is not defined for real-valued targets"
        )
    reason = failure_reason(spectrum)
    if reason is not None:
        return Result(status="failed", reason=reason)
    n, shrinkage = spectrum.n_rows, ledoit_wolf_shrinkage(spectrum)
    present = counts > 0
    between = (spectrum.cross[:, present] ** 2 / counts[present]).sum(axis=1) / n
    variances = (1.0 - shrinkage) * spectrum.eigenvalues / n + shrinkage * spectrum.trace / (
        n * spectrum.n_features
    )
    kept = (spectrum.eigenvalues > spectrum.tolerance) | (shrinkage > 0.0)
    value = (1.0 - shrinkage) * float((between[kept] / variances[kept]).sum())
    return Result(value, stats={"shrinkage": shrinkage})


def ledoit_wolf_shrinkage(spectrum: FeatureSpectrum) -> float:
    """The shrinkage in [0, 1] towards a multiple of the identity, from traces alone.

    With S the covariance, delta = ||S - (trace S / d) I||_F^2 and beta = (mean ||c||^4 - ||S||_F^2) / n it is
    min(beta, delta) / delta (Ledoit and Wolf 2004, lemma 3.2-3.4).
    """
    n, d = spectrum.n_rows, spectrum.n_features
    square = spectrum.square / n**2
    delta = square - (spectrum.trace / n) ** 2 / d
    beta = (spectrum.fourth_moment / n - square) / n
    if beta <= 0.0 or delta <= _ISOTROPIC * square:
        return 0.0
    return 1.0 if beta >= delta else beta / delta
