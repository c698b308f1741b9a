"""Ours beside what is published: one rule for the verdict, and a sentence that says it."""

import math
from dataclasses import dataclass
from typing import Literal

from carryover._core.checks import check_range
from carryover._core.results import Estimate

Verdict = Literal["agrees", "differs", "not comparable", "cannot tell"]
VERDICTS: tuple[Verdict, ...] = ("agrees", "differs", "not comparable", "cannot tell")
Interval = tuple[float, float]


@dataclass(frozen=True)
class Published:
    """What a source says: a number that is sure to ``uncertainty`` (its rounding, its own interval), or a claim.

    ``value`` None: ``claim`` says in words that something is above 0.
    """

    source: str
    value: float | None = None
    uncertainty: float = 0.0
    claim: str = ""


@dataclass(frozen=True)
class Comparison:
    """One published thing beside ours; ``difference``: ours less published with its interval, None where there is none.

    ``matters``: the smallest difference that matters, in the unit of the number, declared before it was computed.
    """

    what: str
    published: Published
    ours: Estimate
    matters: float
    verdict: Verdict
    sentence: str
    difference: Estimate | None = None


def judge(difference: Interval, matters: float) -> Verdict:
    """The verdict on ours less published, from its interval.

    - agrees: it holds 0 and reaches at most ``matters`` from its middle, or lies within ``matters`` of 0
    - cannot tell: it holds 0 and reaches further
    - differs: otherwise

    >>> judge((-0.01, 0.02), 0.05), judge((-0.2, 0.3), 0.05), judge((0.1, 0.2), 0.05), judge((1e-9, 2e-9), 0.05)
    ('agrees', 'cannot tell', 'differs', 'agrees')
    """
    check_range("matters", matters, 0.0, float("inf"))
    low, high = difference
    if -matters <= low and high <= matters:
        return "agrees"
    if not low <= 0.0 <= high:
        return "differs"
    return "agrees" if (high - low) / 2.0 <= matters else "cannot tell"


def exactly(value: float) -> Estimate:
    """A number without sampling error, as an estimate whose interval is the number; NaN: a cell it needs failed."""
    if math.isnan(value):
        return Estimate.missing("failed", "a cell that it needs failed")
    return Estimate(value, 0.0, (value, value), confidence=1.0)


def compare_value(
    what: str,
    published: Published,
    ours: Estimate,
    *,
    matters: float,
    unlike: str = "",
    unproven: str = "",
) -> Comparison:
    """Ours beside a published number.

    ``unlike``: which n, epochs or width differ, where they cannot be compared.  ``unproven``: why nothing is concluded
    from ours, whatever it is.
    """
    if early := _without_verdict(what, published, ours, matters=matters, unlike=unlike, unproven=unproven):
        return early
    low, high = ours.interval
    reach = published.uncertainty
    difference = (low - published.value - reach, high - published.value + reach)
    verdict = judge(difference, matters)
    gap = ours.value - published.value
    said = f"ours {_said(ours)}, published {_number(published.value)}"
    sentence = {
        "agrees": f"{said}: they agree to within {_number(matters)}, the smallest difference that matters.",
        "differs": f"{said}: ours is {_apart(gap)} ({_span(difference)}).",
        "cannot tell": f"{said}: the interval holds it, but is too wide to see a difference of {_number(matters)}.",
    }[verdict]
    found = Estimate(gap, ours.std_error, difference, ours.n_samples, ours.confidence)
    return Comparison(what, published, ours, matters, verdict, _capital(sentence), found)


def compare_order(
    what: str, published: Published, contrast: Estimate, *, unlike: str = "", unproven: str = ""
) -> Comparison:
    """A claim that ``contrast`` is above 0: agrees or differs where its interval lies on one side of 0.

    ``unlike`` and ``unproven``: why there is no verdict, see :func:`compare_value`.
    """
    if early := _without_verdict(what, published, contrast, matters=0.0, unlike=unlike, unproven=unproven):
        return early
    low, high = contrast.interval
    verdict: Verdict = "agrees" if low > 0.0 else "differs" if high < 0.0 else "cannot tell"
    sentence = {
        "agrees": f"as claimed: {_said(contrast)} is above 0.",
        "differs": f"not as claimed: {_said(contrast)} is below 0.",
        "cannot tell": f"the interval holds 0: {_said(contrast)}.",
    }[verdict]
    return Comparison(what, published, contrast, 0.0, verdict, _capital(sentence), contrast)


def _without_verdict(
    what: str, published: Published, ours: Estimate, *, matters: float, unlike: str, unproven: str
) -> Comparison | None:
    """The comparison where the numbers are not looked at; None where they are."""
    if unlike:
        verdict, sentence = "not comparable", f"not comparable: {unlike}."
        return Comparison(what, published, ours, matters, verdict, _capital(sentence))
    if unproven:
        return Comparison(what, published, ours, matters, "cannot tell", f"No conclusion: {unproven}.")
    if not ours.ok:
        return Comparison(what, published, ours, matters, "cannot tell", f"Ours has no value: {ours.reason}.")
    if ours.interval is None:
        return Comparison(what, published, ours, matters, "cannot tell", "Ours has no interval.")
    return None


def _number(value: float) -> str:
    return f"{value:.4g}"


def _span(interval: Interval) -> str:
    return f"{_number(interval[0])} to {_number(interval[1])}"


def _said(ours: Estimate) -> str:
    low, high = ours.interval
    return _number(ours.value) if low == high else f"{_number(ours.value)} ({_span(ours.interval)})"


def _apart(gap: float) -> str:
    return f"{_number(abs(gap))} {'higher' if gap > 0 else 'lower'}"


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
