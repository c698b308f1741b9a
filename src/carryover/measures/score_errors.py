"""The score inequality of transferability for cross-entropy and for the spectral contrastive loss.

E ||s(x) - s*(x)||^2 <= factor * (pretraining excess), as in :mod:`carryover.measures.transferability`; the
proofs are in docs/transfer_bound.md.  What the score is read from differs: predicted probabilities, logits, or
the features themselves.
"""

import math

import numpy as np
from jaxtyping import Float, Num

from carryover._core.checks import check_features, check_range
from carryover._core.errors import InputError
from carryover._core.results import Assumption
from carryover.measures.transferability import (
    RANK_TOLERANCE,
    SPAN_TOLERANCE,
    ScoreError,
    declared,
    head_limit,
    readable_head,
    score_error_through,
)

_UNBOUNDED = Assumption("Heads on the trained encoder have no limit on their norm.", "checked")


def probability_score_error(readout: Num[np.ndarray, "k c"], *, law_known: bool = False) -> ScoreError:
    """Cross-entropy over c pretext classes, downstream scores U p(x) of the *predicted probabilities* p(x).

    The excess is E KL(p* || p); Pinsker's inequality gives, for one output u, factor = (max u - min u)^2 / 2,
    and for K outputs the square of the spectral norm of U with its rows centred (for one output the smaller of
    the two is taken). A constant added to a row of U changes a score by that constant and nothing else here.
    Raises InputError for fewer than two classes or values that are not finite.

    >>> probability_score_error(np.array([[0.0, 1.0]]), law_known=True).factor
    0.5
    """
    readout = check_features(readout, "readout")
    if readout.shape[1] < 2:
        raise InputError(f"readout must have a column for each of at least 2 classes, got {readout.shape[1]}")
    centred = readout - readout.mean(axis=1, keepdims=True)
    factor = float(np.linalg.norm(centred, 2)) ** 2
    if len(readout) == 1:
        factor = min(factor, float(np.ptp(readout)) ** 2 / 2)
    assumptions = (
        Assumption(
            "The best decoder on the best encoder predicts the class probabilities.", declared(law_known)
        ),
        Assumption("The best downstream score on the best encoder is U times them.", declared(law_known)),
        Assumption(
            "Downstream heads may read U times the probabilities that are predicted.", declared(law_known)
        ),
    )
    return ScoreError(factor, "cross-entropy, read from probabilities", assumptions, stats={"factor": factor})


def logit_score_error(
    head: Num[np.ndarray, "k d_head"],
    decoder: Num[np.ndarray, "c d"],
    *,
    logit_limit: float,
    head_radius: float = math.inf,
    trained_decoder: Num[np.ndarray, "c_trained d_trained"] | None = None,
    law_known: bool = False,
    rank_tolerance: float = RANK_TOLERANCE,
    span_tolerance: float = SPAN_TOLERANCE,
) -> ScoreError:
    """Cross-entropy with logits of size at most S = ``logit_limit``, downstream heads linear in the features.

        one logit (decoder (1, d)):   factor = R_u^2 * 2 (2 + 2 cosh S),  |logit| <= S
        c >= 2 logits:                factor = R_u^2 * 2 (1 + (c - 1) e^(2S)),  |centred logit| <= S

    The limit is needed: where logits may grow, cross-entropy hardly sees an error in them that is as large as
    one likes. Logits are identified up to a common shift, so the head must lie in the span of the *centred*
    rows of a decoder of c >= 2 rows.  Other arguments as in :func:`squared_score_error`.  Raises InputError for
    a limit that is not positive.

    >>> round(logit_score_error(np.eye(1), np.eye(1), logit_limit=1e-9, law_known=True).factor, 6)
    8.0
    """
    check_range("logit_limit", logit_limit, 0, 700, open_low=True)
    check_range("head_radius", head_radius, 0, math.inf, open_low=True)
    decoder = _centred(check_features(decoder, "decoder"))
    if trained_decoder is not None:
        trained_decoder = _centred(check_features(trained_decoder, "trained_decoder"))
    classes = len(decoder)
    if classes == 1:
        error_factor = 2 * (2 + 2 * math.cosh(logit_limit))
    else:
        error_factor = 2 * (1 + (classes - 1) * math.exp(2 * min(logit_limit, 350.0)))
    readable = readable_head(head, decoder, rank_tolerance=rank_tolerance, span_tolerance=span_tolerance)
    others = (
        Assumption(
            "The best decoder on the best encoder predicts the class probabilities.", declared(law_known)
        ),
        Assumption("The head given is the best downstream head on the best encoder.", declared(law_known)),
        Assumption(
            f"No logit of either decoder is larger than {logit_limit:g} in size.", declared(law_known)
        ),
    )
    return score_error_through(
        readable,
        "cross-entropy, read from logits",
        error_factor=error_factor,
        limit=head_limit(readable, trained_decoder, head_radius),
        others=others,
    )


def spectral_score_error(
    eigenvalues: Float[np.ndarray, " e"], *, width: int, score_size: float, law_known: bool = False
) -> ScoreError:
    """Spectral contrastive loss, heads on the features without a limit on their norm.

        factor = E s*(x)^2 / (lambda_k^2 - lambda_{k+1}^2),    k = ``width`` features

    ``eigenvalues`` of the normalised augmentation graph (at least k + 1 of them, in any order; all must be >=
    0), ``score_size`` the root of E s*(x)^2.  A tie between the k-th and the next leaves the best encoder
    undetermined: the result abstains.  HaoChen et al. (NeurIPS 2021) bound the error against the labels, with
    an additive term for augmentations that change the label; relative to h*, as here, that term belongs to what
    h* leaves. Raises InputError for a width, eigenvalues or a size that cannot be.

    >>> spectral_score_error(np.array([1.0, 0.5, 0.0]), width=2, score_size=1.0, law_known=True).factor
    4.0
    """
    values = np.sort(check_features(np.atleast_2d(eigenvalues), "eigenvalues")[0])[::-1]
    if not 1 <= width < len(values):
        raise InputError(
            f"width must lie in [1, {len(values) - 1}] for {len(values)} eigenvalues, got {width}"
        )
    if values[-1] < -1e-9:
        raise InputError(f"eigenvalues of an augmentation graph are at least 0, got {values[-1]:.4g}")
    check_range("score_size", score_size, 0, math.inf)
    gap = float(values[width - 1] ** 2 - values[width] ** 2)
    assumptions = (
        Assumption(
            "The best encoder spans the leading eigenfunctions of the augmentation graph.",
            declared(law_known),
        ),
        _UNBOUNDED,
    )
    stats = {"gap": gap}
    if gap <= 1e-12 * float(values[0] ** 2):
        reason = f"eigenvalues {width} and {width + 1} are equal, so that the best encoder is not determined"
        return ScoreError(None, "spectral contrastive", assumptions, "abstained", reason, stats)
    return ScoreError(score_size**2 / gap, "spectral contrastive", assumptions, stats=stats)


def _centred(decoder: Float[np.ndarray, "c d"]) -> Float[np.ndarray, "c d"]:
    """Rows less their mean; a single logit stays as it is."""
    return decoder if len(decoder) == 1 else decoder - decoder.mean(axis=0)
