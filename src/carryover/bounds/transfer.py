"""The transfer bound: what a downstream head on a pretrained encoder can lose, in four terms and a rest.

    E_T(fhat, hhat) <= C E_U(ghat, hhat)^beta
                       + 2 G Rad_n(F o hhat)                (sqrt 2 times that for several outputs)
                       + 4 B sqrt(log(1/delta) / (2n))
                       + 2 B TV(T, U_X)
                       + min_f E_T(f, h*)

E_T and E_U are excesses over the least risk of their classes, B the range of the loss, G its Lipschitz constant.
Deng, Hong, Zhou and Mahdavi (AISTATS 2024, arXiv 2403.06871); proof with these constants: docs/transfer_bound.md.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Num

from carryover._core.checks import check_range
from carryover._core.errors import InputError
from carryover._core.results import Assumption, Bound, Estimate, Status
from carryover.bounds.base import check_confidence
from carryover.bounds.transfer_terms import (
    Known,
    TransferTerm,
    confidence_term,
    plain_term,
    rademacher_term,
    total_variation_term,
    transferability_term,
)
from carryover.measures.heterogeneity import TotalVariation
from carryover.measures.rademacher import RademacherComplexity
from carryover.measures.transfer_envelope import MeasuredTransferability
from carryover.measures.transfer_pairs import TransferPair

BOUNDED = "excess downstream risk over the best head and encoder of their classes"
_SIGNS_SHARE = 0.1


@dataclass(frozen=True)
class Conditions:
    """What the bound takes for granted besides its terms: True where it was checked, False where it fails, else
    None.

    ``independent_draws``: the labelled examples are independent draws from T.  ``representation_independent``:
    no labelled input served to choose the encoder, also not through a regulariser's unlabelled pool.
    ``complexity_at_labelled``: the Rademacher complexity is that of the labelled inputs.  ``same_view``: the
    total variation is between inputs as the encoder saw them in pretraining and as it sees them downstream
    (masked images against whole ones are nearly disjoint).  ``head_in_class``: the head obeys the norm limit of
    the class whose complexity was taken, and has the least training risk there (or its gap is given).
    """

    independent_draws: bool | None = None
    representation_independent: bool | None = None
    complexity_at_labelled: bool | None = None
    same_view: bool | None = None
    head_in_class: bool | None = None

    def as_assumptions(self) -> tuple[Assumption, ...]:
        """The same as sentences with their states."""
        answers = (
            (self.independent_draws, "The labelled examples are independent draws from the downstream law."),
            (self.representation_independent, "The encoder was chosen without the labelled examples."),
            (self.complexity_at_labelled, "The Rademacher complexity is that of the labelled inputs."),
            (self.same_view, "Total variation is between inputs as the encoder sees them before and after."),
            (self.head_in_class, "The head is in the class of that complexity, and its best on the labels."),
        )
        return tuple(Assumption(text, _STATES[answer]) for answer, text in answers)


_STATES = {True: "checked", False: "violated", None: "not_checkable"}


@dataclass(frozen=True)
class TransferBoundEstimate:
    """An estimate of the transfer bound.  It is *not* a bound: the downstream excess may exceed it.

    ``estimated_bound`` is the sum of the ``terms``, None where one of them is missing.  ``not_a_bound_because``
    lists every reason.  ``limit_confidence``: the limits among the terms hold together with this probability;
    the sum does not.  ``looks_vacuous``: the sum is at least the range of the loss.
    """

    estimated_bound: float | None
    terms: tuple[TransferTerm, ...]
    limit_confidence: float
    not_a_bound_because: tuple[str, ...]
    assumptions: tuple[Assumption, ...]
    looks_vacuous: bool | None
    estimated: str = f"estimate of a bound on the {BOUNDED}"
    status: Status = "ok"
    reason: str | None = None
    stats: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.status == "ok"

    @property
    def words(self) -> str:
        """The number with what it is, in one sentence."""
        said = f"not computed: {self.reason}" if not self.ok else f"{self.estimated_bound:.4g}"
        return f"Estimate of the transfer bound, not a bound: {said}. {' '.join(self.not_a_bound_because)}"


def transfer_bound(
    pair: TransferPair | MeasuredTransferability,
    *,
    pretraining_excess: Known | Estimate,
    complexity: RademacherComplexity | Known,
    total_variation: TotalVariation | Known,
    residual: Known | Estimate,
    n: int,
    lipschitz: float,
    loss_range: float = 1.0,
    optimization_gap: Known | Estimate | None = None,
    n_outputs: int = 1,
    losses: Num[np.ndarray, " n_losses"] | None = None,
    conditions: Conditions | None = None,
    confidence: float = 0.95,
) -> Bound | TransferBoundEstimate:
    """The sum of the terms: a :class:`Bound` where every one is known from the law or limited from above, and
    every condition was checked; otherwise a :class:`TransferBoundEstimate`, which says why it is not a bound.

    On real data it is always the latter: samples show total variation from below only, and neither the excess
    over the best pretraining loss of the class nor what h* leaves (``residual`` = min_f E_T(f, h*)) is
    observed. The risk 1 - ``confidence`` is shared: a tenth for the signs behind a measured ``complexity``, the
    rest for the confidence term; the shares add up.  ``losses`` of the n labelled examples are looked at for
    their range only. ``optimization_gap``: training risk of the head above that of the best head of its class,
    for heads that are not exact minimisers; a summand of its own.  ``n_outputs`` counts for a known complexity;
    a measured one has its own. Raises InputError for arguments outside their range, losses outside [0,
    ``loss_range``], and a complexity of another number of examples than ``n``.
    """
    risk = check_confidence(confidence)
    check_range("loss_range", loss_range, 0, math.inf, open_low=True, open_high=True)
    check_range("n", n, 1, math.inf, open_high=True)
    measured = isinstance(complexity, RademacherComplexity)
    if measured and complexity.n != n:
        raise InputError(f"complexity must be of the n = {n} labelled inputs, got one of {complexity.n}")
    _check_losses(losses, n, loss_range)
    signs_risk = _SIGNS_SHARE * risk if measured else 0.0
    terms = [
        transferability_term(pair, pretraining_excess),
        rademacher_term(complexity, lipschitz=lipschitz, n_outputs=n_outputs, risk=signs_risk),
        confidence_term(loss_range=loss_range, n=n, risk=risk - signs_risk),
        total_variation_term(total_variation, loss_range=loss_range),
        plain_term("residual", residual, what="the best head found on the best encoder at hand"),
    ]
    if optimization_gap is not None:
        what = "training risk of the head less that of the best head found"
        terms.append(plain_term("optimization", optimization_gap, what=what))
    assumptions = (conditions or Conditions()).as_assumptions()
    return _assemble(
        tuple(terms), assumptions + terms[0].assumptions, loss_range=loss_range, confidence=confidence
    )


def _assemble(
    terms: tuple[TransferTerm, ...],
    assumptions: tuple[Assumption, ...],
    *,
    loss_range: float,
    confidence: float,
) -> Bound | TransferBoundEstimate:
    missing = [f"{term.name} is {term.how}" for term in terms if term.kind == "missing"]
    total = None if missing else math.fsum(term.value for term in terms)
    vacuous = None if missing else total >= loss_range - 1e-12
    reasons = [_WHY_NOT[term.kind].format(term.name) for term in terms if term.kind in _WHY_NOT]
    reasons += [f"Not checked: {one.text}" for one in assumptions if one.state == "not_checkable"]
    reasons += [f"Violated: {one.text}" for one in assumptions if one.state == "violated"]
    if not reasons:
        return Bound(
            value=total,
            confidence=confidence,
            terms={term.name: term.value for term in terms},
            assumptions=assumptions,
            vacuous=vacuous,
            bounded=BOUNDED,
            stats={"terms": terms},
        )
    return TransferBoundEstimate(
        estimated_bound=total,
        terms=terms,
        limit_confidence=confidence,
        not_a_bound_because=tuple(reasons),
        assumptions=assumptions,
        looks_vacuous=vacuous,
        status="abstained" if missing else "ok",
        reason="; ".join(missing) or None,
    )


_WHY_NOT = {
    "estimate": "The term {} is an estimate.",
    "lower_limit": "The term {} is known from below only.",
    "missing": "The term {} is missing.",
}


def _check_losses(losses: Any, n: int, loss_range: float) -> None:
    if losses is None:
        return
    array = np.asarray(losses, dtype=np.float64)
    if array.shape != (n,):
        raise InputError(f"losses must be a vector of length n = {n}, got shape {array.shape}")
    outside = ~((array >= 0) & (array <= loss_range))
    if outside.any():
        raise InputError(
            f"losses must lie in [0, {loss_range:g}], the declared range; {int(outside.sum())} do not, "
            f"the first is {array[outside][0]:.4g}"
        )
