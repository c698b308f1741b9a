"""Bounds that hold in expectation: a record of their own, so that none passes for one at a confidence level."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from carryover._core.results import Assumption


@dataclass(frozen=True)
class ExpectationBound:
    """An estimate, in expectation no smaller than the *expected* error: it has no confidence level.

    On one draw of the data it may lie below the error of the classifier at hand, at any rate whatever; only its
    mean over draws is above the mean error.  ``value`` is the sum of ``terms`` (checked).  ``null`` is what the
    information term comes to, on average, when the masks are shuffled so that there is no information at all, and
    ``null_high`` the largest such value; None where there is nothing to shuffle.  ``n_repeats`` counts the
    training runs behind the estimate.  ``vacuous``: no smaller than the largest error.
    """

    value: float
    terms: Mapping[str, float]
    n_repeats: int
    bounded: str
    vacuous: bool
    assumptions: tuple[Assumption, ...] = ()
    null: float | None = None
    null_high: float | None = None
    stats: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not math.isclose(self.value, math.fsum(self.terms.values()), rel_tol=1e-9, abs_tol=1e-12):
            raise ValueError(f"a bound is the sum of its terms: {self.value} != sum of {dict(self.terms)}")


def expectation_bound(
    terms: Mapping[str, float],
    *,
    n_repeats: int,
    assumptions: tuple[Assumption, ...],
    bounded: str,
    stats: Mapping[str, Any],
    null: tuple[float, float] | None = None,
) -> ExpectationBound:
    """The record of an expected error rate's bound; ``null`` is the mean and the largest of shuffled values."""
    value = float(sum(terms.values()))
    return ExpectationBound(
        value=value,
        terms=dict(terms),
        n_repeats=n_repeats,
        bounded=bounded,
        vacuous=value >= 1 - 1e-12,
        assumptions=assumptions,
        null=None if null is None else null[0],
        null_high=None if null is None else null[1],
        stats=dict(stats),
    )
