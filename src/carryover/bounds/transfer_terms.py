"""The terms of the transfer bound, each with where its number is from and what risk it takes."""

import math
from dataclasses import dataclass
from typing import Literal

from carryover._core.checks import check_range
from carryover._core.results import Assumption, Estimate
from carryover.measures.heterogeneity import TotalVariation
from carryover.measures.rademacher import RademacherComplexity
from carryover.measures.transfer_envelope import MeasuredTransferability
from carryover.measures.transfer_pairs import TransferPair

TermKind = Literal["exact", "upper_limit", "estimate", "lower_limit", "missing"]


@dataclass(frozen=True)
class Known:
    """A number computed from the law itself, or one that is certainly not below it; ``how`` says from what."""

    value: float
    how: str


@dataclass(frozen=True)
class TransferTerm:
    """One summand.  ``kind`` says what ``value`` is to the truth of that term:

    "exact" computed from the law; "upper_limit" not below it except with probability ``risk``; "estimate" a
    number that the truth may exceed; "lower_limit" a quantity that data show from below only; "missing" unknown
    (``value`` None). ``estimate`` is the term with its interval, where it has one.
    """

    name: str
    value: float | None
    kind: TermKind
    risk: float
    how: str
    estimate: Estimate | None = None
    assumptions: tuple[Assumption, ...] = ()


def contraction_factor(n_outputs: int) -> float:
    """1 for one output, sqrt 2 for several: Rad(loss o F) <= factor * G * Rad(F), with a sign for each output.

    Ledoux and Talagrand (1991), theorem 4.12; Maurer, A vector-contraction inequality, ALT 2016, corollary 4.
    Both are attained.  Raises InputError for fewer than one output.
    """
    check_range("n_outputs", n_outputs, 1, math.inf)
    return 1.0 if n_outputs == 1 else math.sqrt(2)


def transferability_term(
    pair: TransferPair | MeasuredTransferability, excess: Known | Estimate
) -> TransferTerm:
    """C E_U^beta.  Exact for a pair that is ``exact`` and a known excess; otherwise an estimate or missing.

    The interval of an estimate is that of the excess, at the pair's values of C and beta.

    The excess of a checkpoint over the best of a family is not the excess over the best of the class, which
    nobody observes: it is too small by what the family's best one has.
    """
    name = "transferability"
    for one in (pair, excess):
        if isinstance(one, Estimate | TransferPair | MeasuredTransferability) and not one.ok:
            return TransferTerm(name, None, "missing", 0.0, f"not known: {_reason(one)}")
    is_law = isinstance(pair, TransferPair)
    constants = f"C = {_constant(pair):.4g}, beta = {_exponent(pair):.4g}, " + (
        f"derived for {pair.pretraining} pretraining and a {pair.downstream} loss"
        if is_law
        else f"an envelope measured over {pair.n_used} checkpoints"
    )
    assumptions = pair.assumptions if is_law else (_same_range(pair, excess.value),)
    if isinstance(excess, Known):
        check_range("pretraining excess", excess.value, 0, math.inf)
        kind = "exact" if is_law and pair.exact else "estimate"
        how = f"{constants}; pretraining excess {excess.value:.4g}: {excess.how}"
        return TransferTerm(name, pair.excess(excess.value), kind, 0.0, how, assumptions=assumptions)
    how = f"{constants}; pretraining excess {excess.value:.4g}, over the best at hand only"
    interval = excess.interval and tuple(pair.excess(max(0.0, end)) for end in excess.interval)
    value = pair.excess(max(0.0, excess.value))
    estimate = Estimate(value, None, interval, excess.n_samples, confidence=excess.confidence)
    return TransferTerm(name, value, "estimate", 0.0, how, estimate, assumptions)


def rademacher_term(
    complexity: RademacherComplexity | Known, *, lipschitz: float, n_outputs: int = 1, risk: float
) -> TransferTerm:
    """2 G Rad_n(F o h) for one output, 2 sqrt 2 G Rad_n for several: a limit above the complexity at the
    labelled inputs.

    A measured complexity brings its own number of outputs and enters by its upper limit at confidence 1 -
    ``risk`` over the signs; a known one takes no risk.
    """
    check_range("lipschitz", lipschitz, 0, math.inf, open_low=True, open_high=True)
    name = "rademacher"
    if isinstance(complexity, Known):
        check_range("complexity", complexity.value, 0, math.inf)
        value = 2 * contraction_factor(n_outputs) * lipschitz * complexity.value
        return TransferTerm(name, value, "exact", 0.0, f"2 G Rad_n, {complexity.how}")
    factor = 2 * contraction_factor(complexity.n_outputs) * lipschitz
    drawn = complexity.estimate
    estimate = Estimate(
        factor * drawn.value,
        factor * drawn.std_error,
        tuple(factor * end for end in drawn.interval),
        drawn.n_samples,
        confidence=drawn.confidence,
    )
    how = (
        f"{factor:.4g} times the limit above the mean over {complexity.n_draws} draws of signs, "
        f"heads {complexity.head} of norm at most {complexity.radius:.4g}"
    )
    return TransferTerm(name, factor * complexity.upper_limit(1 - risk), "upper_limit", risk, how, estimate)


def confidence_term(*, loss_range: float, n: int, risk: float) -> TransferTerm:
    """4 B sqrt(log(1/risk) / (2 n)): what chance adds, from one use of McDiarmid's inequality."""
    value = 4 * loss_range * math.sqrt(math.log(1 / risk) / (2 * n))
    how = f"bounded differences of {n} labelled examples, losses in [0, {loss_range:g}]"
    return TransferTerm("confidence", value, "upper_limit", risk, how)


def total_variation_term(distance: TotalVariation | Known, *, loss_range: float) -> TransferTerm:
    """2 B TV(T, U_X).  Samples show TV from below only, so what is measured is never more than a lower limit."""
    name = "total_variation"
    if isinstance(distance, Known):
        check_range("total variation", distance.value, 0, 1)
        return TransferTerm(name, 2 * loss_range * distance.value, "exact", 0.0, distance.how)
    found = distance.estimate
    if not found.ok:
        return TransferTerm(name, None, "missing", 0.0, f"not known: {found.reason}")
    scale = 2 * loss_range
    estimate = Estimate(
        scale * found.value,
        scale * found.std_error,
        tuple(scale * end for end in found.interval),
        found.n_samples,
        confidence=found.confidence,
    )
    how = (
        f"total variation {found.value:.4g}, what a linear test separates; samples show it from below only, "
        "and the truth may be anything up to 1"
    )
    return TransferTerm(name, scale * found.value, "lower_limit", 0.0, how, estimate)


def plain_term(name: str, given: Known | Estimate, *, what: str) -> TransferTerm:
    """A term that is what it is given as: the residual at h*, or the gap of the optimisation."""
    if isinstance(given, Known):
        check_range(name, given.value, 0, math.inf)
        return TransferTerm(name, given.value, "exact", 0.0, given.how)
    if not given.ok:
        return TransferTerm(name, None, "missing", 0.0, f"not known: {given.reason}")
    return TransferTerm(name, max(0.0, given.value), "estimate", 0.0, what, given)


def _constant(pair: TransferPair | MeasuredTransferability) -> float:
    return pair.constant if isinstance(pair, TransferPair) else pair.constant.value


def _exponent(pair: TransferPair | MeasuredTransferability) -> float:
    return pair.exponent if isinstance(pair, TransferPair) else pair.exponent.value


def _reason(one: TransferPair | MeasuredTransferability | Estimate) -> str | None:
    return one.exponent.reason if isinstance(one, MeasuredTransferability) else one.reason


def _same_range(pair: MeasuredTransferability, excess: float) -> Assumption:
    low, high = pair.excess_range
    return Assumption(
        f"The pretraining excess lies in the range that was measured, {low:.3g} to {high:.3g}.",
        "checked" if low <= excess <= high else "violated",
    )
