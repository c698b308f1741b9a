"""LogME: the mean log evidence per example of linear models on given features."""

from typing import Any

import numpy as np

from carryover._core.results import Result
from carryover.measures.evidence import evidence_profile, maximise_evidence
from carryover.measures.moments import FeatureMoments
from carryover.measures.ridge_setup import failure_reason
from carryover.measures.spectrum import FeatureSpectrum, spectrum_from_moments, spectrum_from_rows

UNBOUNDED = (
    "the features fit target {index} exactly although they are of lower rank than there are examples: "
    "its evidence has no upper bound"
)


def logme(features: Any, targets: Any, *, n_classes: int | None = None) -> Result:
    """The mean over targets of max over (alpha, beta) of log p(y | F, alpha, beta) / n, in nats per example.

    y ~ N(0, I / beta + F F^T / alpha), features (n, d) as they are (not centred, no intercept); the targets
    are the one-hot columns of class codes (n,), or real values (n,) or (n, k).  At the maximum this is

        d/2 log alpha + n/2 log beta - E(m) - 1/2 log det(alpha I + beta F^T F) - n/2 log(2 pi),
        E(m) = beta/2 ||y - F m||^2 + alpha/2 ||m||^2,   m = beta (alpha I + beta F^T F)^{-1} F^T y,

    with every term kept also where n < d (You, Liu, Wang and Long, ICML 2021, arXiv 2102.11005, section 4; their
    released fixed point drops (d - n) log alpha there).  The maximum is found directly, not by a fixed point.  A target
    that the features do not help has alpha = inf and the evidence of pure noise: a valid value.

    ``stats``: log_evidence (k,) in nats per example, alpha (k,), beta (k,), n_unused (targets with alpha = inf).
    Failed: every feature constant; a target the same for every example; a target fitted exactly by features of
    rank below n.  Invariant to rotation and positive scaling of the features and to the order of rows and classes.
    Raises InputError for what is not finite or does not fit.

    >>> round(logme([[0.0], [1.0], [2.0], [3.0]], [0.1, 1.0, 2.1, 2.9]).value, 3)
    -0.011
    """
    return logme_from_spectrum(spectrum_from_rows(features, targets, n_classes, with_directions=False))


def logme_from_moments(moments: FeatureMoments) -> Result:
    """:func:`logme` of the rows that the moments were summed from."""
    return logme_from_spectrum(spectrum_from_moments(moments, with_directions=False))


def logme_from_spectrum(spectrum: FeatureSpectrum) -> Result:
    """:func:`logme` where the eigendecomposition is known."""
    reason = failure_reason(spectrum)
    if reason is not None:
        return Result(status="failed", reason=reason)
    if not (spectrum.target_scatter > 0.0).all():
        index = int(np.argmin(spectrum.target_scatter))
        return Result(
            status="failed", reason=f"target {index} is the same for every example (a class without any?)"
        )
    profile = evidence_profile(spectrum)
    exact = profile.fitted_exactly()
    if exact.any():
        return Result(status="failed", reason=UNBOUNDED.format(index=int(np.argmax(exact))))
    best = maximise_evidence(profile)
    per_example = best.log_evidence / spectrum.n_rows
    stats = {
        "log_evidence": per_example,
        "alpha": best.alpha,
        "beta": best.beta,
        "n_unused": int(np.isinf(best.alpha).sum()),
    }
    return Result(float(per_example.mean()), stats=stats)
