"""Transferability: how much of a small pretraining excess a downstream excess inherits, from the losses alone.

An encoder h transfers with (C, beta) relative to the best pretraining encoder h* if

    min_f R(f o h) - min_f R(f o h*)  <=  C (min_g L_U(g o h) - min_g L_U(g o h*))^beta,

R the downstream risk under the law of the pretraining inputs (Deng et al., arXiv 2403.06871).  Every pair here
comes from one inequality on scores, E ||s(x) - s*(x)||^2 <= factor * (pretraining excess), where s* is the best
downstream score on h* and s one that the heads on h can reach.  Proofs, and what is not provable:
docs/transfer_bound.md.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Num

from carryover._core.checks import check_features, check_range
from carryover._core.errors import InputError
from carryover._core.results import Assumption, AssumptionState, Status

RANK_TOLERANCE = 1e-6
SPAN_TOLERANCE = 1e-6


@dataclass(frozen=True)
class ReadableHead:
    """A head theta (K, d) written through the rows of a decoder W (p, d): theta = U W + what lies outside their
    span.

    ``readout`` U (K, p) is the one of least norm and ``radius`` its spectral norm R_u (for one output its
    length). ``residual`` is ||theta - U W||_F / ||theta||_F.  ``rank`` counts singular values of W above
    ``rank_tolerance`` times the largest; smaller ones count as 0, or they would give a readout as long as one
    likes.
    """

    readout: Float[np.ndarray, "k p"]
    radius: float
    residual: float
    rank: int
    smallest_kept: float
    rank_tolerance: float
    span_tolerance: float

    @property
    def in_span(self) -> bool:
        return self.residual <= self.span_tolerance


@dataclass(frozen=True)
class ScoreError:
    """E ||s(x) - s*(x)||^2 <= ``factor`` * pretraining excess, or the reason why this is not known to hold.

    ``factor`` is None unless ``status`` is "ok".  ``pretraining`` names the loss.  ``exact`` says that every
    assumption was checked or declared to be true of the law, so that the inequality is one of the law, not of
    estimates.
    """

    factor: float | None
    pretraining: str
    assumptions: tuple[Assumption, ...]
    status: Status = "ok"
    reason: str | None = None
    stats: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.status == "ok"

    @property
    def exact(self) -> bool:
        return self.ok and all(one.state == "checked" for one in self.assumptions)


def readable_head(
    head: Num[np.ndarray, "k d_head"],
    decoder: Num[np.ndarray, "p d"],
    *,
    rank_tolerance: float = RANK_TOLERANCE,
    span_tolerance: float = SPAN_TOLERANCE,
) -> ReadableHead:
    """The head through the decoder by least squares, :class:`ReadableHead`; a matter of linear algebra only.

    A head of zeros is in every span, with radius 0.  Raises InputError for shapes that do not fit, values that
    are not finite, and tolerances outside (0, 1).

    >>> found = readable_head(np.array([[3.0, 4.0]]), np.array([[1.0, 0.0], [0.0, 1.0]]))
    >>> found.radius, found.in_span
    (5.0, True)
    """
    head, decoder = check_features(head, "head"), check_features(decoder, "decoder")
    if head.shape[1] != decoder.shape[1]:
        raise InputError(
            f"head and decoder must act on the same features, got widths {head.shape[1]} and {decoder.shape[1]}"
        )
    for name, value in (("rank_tolerance", rank_tolerance), ("span_tolerance", span_tolerance)):
        check_range(name, value, 0, 1, open_low=True, open_high=True)
    left, singular, right = np.linalg.svd(decoder, full_matrices=False)
    kept = singular > rank_tolerance * singular[0]
    coordinates = head @ right[kept].T
    readout = (coordinates / singular[kept]) @ left[:, kept].T
    scale = float(np.linalg.norm(head))
    outside = float(np.linalg.norm(head - coordinates @ right[kept]))
    return ReadableHead(
        readout=readout,
        radius=float(np.linalg.norm(readout, 2)),
        residual=outside / scale if scale else 0.0,
        rank=int(kept.sum()),
        smallest_kept=float(singular[kept].min() / singular[0]) if kept.any() else 0.0,
        rank_tolerance=rank_tolerance,
        span_tolerance=span_tolerance,
    )


def squared_score_error(
    head: Num[np.ndarray, "k d_head"],
    decoder: Num[np.ndarray, "p d"],
    *,
    weight: float = 0.5,
    head_radius: float = math.inf,
    trained_decoder: Num[np.ndarray, "p_trained d_trained"] | None = None,
    law_known: bool = False,
    rank_tolerance: float = RANK_TOLERANCE,
    span_tolerance: float = SPAN_TOLERANCE,
) -> ScoreError:
    """factor = R_u^2 / weight for the pretraining loss  weight * ||g(h(x)) - z||^2  with linear decoders g.

    ``decoder`` (p, d) and ``head`` (K, d) belong to the best encoder h*: E[z|x] = decoder @ h*(x) and the best
    downstream score is head @ h*(x).  The head must lie in the span of the decoder's rows
    (:func:`readable_head`); where it does not the result abstains.  Heads on the trained encoder must be
    allowed to be U @ ``trained_decoder``: its Frobenius norm is compared with ``head_radius``, the limit of the
    class of heads (a limit can leave an encoder with no pretraining excess and a downstream error that no
    constant covers). ``law_known``: the arrays are those of the law, not estimates; only then is the result
    ``exact``. Losses averaged over p outputs have weight 1/p.  Raises InputError for arguments outside their
    range.

    >>> squared_score_error(np.array([[3.0, 4.0]]), np.eye(2), law_known=True).factor
    50.0
    """
    check_range("weight", weight, 0, math.inf, open_low=True, open_high=True)
    check_range("head_radius", head_radius, 0, math.inf, open_low=True)
    readable = readable_head(head, decoder, rank_tolerance=rank_tolerance, span_tolerance=span_tolerance)
    bayes = Assumption("The best decoder on the best encoder predicts E[z|x] exactly.", declared(law_known))
    best = Assumption("The head given is the best downstream head on the best encoder.", declared(law_known))
    return score_error_through(
        readable,
        "squared",
        error_factor=1.0 / weight,
        limit=head_limit(readable, trained_decoder, head_radius),
        others=(bayes, best),
    )


def score_error_through(
    readable: ReadableHead,
    pretraining: str,
    *,
    error_factor: float,
    limit: Assumption,
    others: tuple[Assumption, ...],
) -> ScoreError:
    """factor = R_u^2 ``error_factor`` where E ||decoder outputs - best outputs||^2 <= error_factor * excess.

    Abstains where the head leaves the span or the limit on heads forbids the one that is needed.
    """
    span = Assumption(
        "The head lies in the span of the decoder's rows "
        f"(relative residual {readable.residual:.2g}, permitted {readable.span_tolerance:.2g}; numerical rank "
        f"{readable.rank} at tolerance {readable.rank_tolerance:.2g}).",
        "checked" if readable.in_span else "violated",
    )
    assumptions = (span, limit, *others)
    stats = {"readable": readable, "radius": readable.radius}
    for one in (span, limit):
        if one.state == "violated":
            reason = f"no constants are known, because this does not hold: {one.text}"
            return ScoreError(None, pretraining, assumptions, "abstained", reason, stats)
    return ScoreError(readable.radius**2 * error_factor, pretraining, assumptions, stats=stats)


def declared(law_known: bool) -> AssumptionState:
    """The state of an assumption on the law: checked if the caller knows the law, otherwise nobody can look."""
    return "checked" if law_known else "not_checkable"


def head_limit(readable: ReadableHead, trained_decoder: np.ndarray | None, radius: float) -> Assumption:
    """Whether U @ ``trained_decoder``, the head on the trained encoder that the proofs use, is an allowed one."""
    if math.isinf(radius):
        return Assumption("Heads on the trained encoder have no limit on their norm.", "checked")
    if trained_decoder is None:
        return Assumption(f"A head of norm at most {radius:.4g} reads the trained decoder.", "not_checkable")
    trained = check_features(trained_decoder, "trained_decoder")
    if len(trained) != readable.readout.shape[1]:
        raise InputError(
            f"trained_decoder must have the {readable.readout.shape[1]} outputs of decoder, got {len(trained)}"
        )
    needed = float(np.linalg.norm(readable.readout @ trained))
    return Assumption(
        f"The head that reads the trained decoder, of norm {needed:.4g}, is allowed (norm at most {radius:.4g}).",
        "checked" if needed <= radius else "violated",
    )
