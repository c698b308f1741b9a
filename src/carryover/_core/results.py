"""Failure is a value: what a computation returns when it may fail, and how sure it is when it does not.

``Result`` carries any value, ``Estimate`` a number with its uncertainty, ``Bound`` an upper bound on an
error with the terms it is the sum of.  All three say ``status`` and, unless it is ``"ok"``, a ``reason``
that a person can read.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from carryover._core.errors import NotComputedError

Status = Literal["ok", "failed", "abstained", "not_applicable"]
AssumptionState = Literal["checked", "not_checkable", "violated"]

_STATUSES = ("ok", "failed", "abstained", "not_applicable")


def _check_status(status: str, reason: str | None) -> None:
    if status not in _STATUSES:
        raise ValueError(f"status must be one of {_STATUSES}, got {status!r}")
    if status != "ok" and not reason:
        raise ValueError(f"status {status!r} needs a reason")


@dataclass(frozen=True)
class Result:
    """A value, or the reason why there is none.

    ``value`` is None unless ``status`` is ``"ok"``; ``stats`` holds what was learned on the way
    (iterations, residuals, chosen penalties), with plain numbers, strings and arrays in it.
    """

    value: Any = None
    status: Status = "ok"
    reason: str | None = None
    stats: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_status(self.status, self.reason)
        if self.status == "ok" and self.value is None:
            raise ValueError("a Result with status 'ok' needs a value")

    @property
    def ok(self) -> bool:
        return self.status == "ok"

    def raise_if_failed(self) -> Any:
        """The value; raises NotComputedError with the reason where there is none."""
        if not self.ok:
            raise NotComputedError(f"{self.status}: {self.reason}")
        return self.value


@dataclass(frozen=True)
class Estimate:
    """A number, its standard error, and an interval [low, high] at a stated confidence.

    ``n_samples`` counts what the uncertainty was computed from (test examples, subsamples).  An estimate
    that could not be made has ``value``, ``std_error`` and ``interval`` None, and says why.
    """

    value: float | None
    std_error: float | None = None
    interval: tuple[float, float] | None = None
    n_samples: int | None = None
    confidence: float = 0.95
    status: Status = "ok"
    reason: str | None = None

    def __post_init__(self) -> None:
        _check_status(self.status, self.reason)
        numbers = [self.value, self.std_error, *(self.interval or ())]
        if any(number is not None and math.isnan(number) for number in numbers):
            raise ValueError("an Estimate holds no NaN: give a status and a reason instead")
        if (self.status == "ok") != (self.value is not None):
            raise ValueError("an Estimate has a value exactly when its status is 'ok'")

    @property
    def ok(self) -> bool:
        return self.status == "ok"

    @classmethod
    def missing(cls, status: Status, reason: str) -> "Estimate":
        """An estimate that could not be made, with the reason."""
        return cls(value=None, status=status, reason=reason)


@dataclass(frozen=True)
class Assumption:
    """What a bound takes for granted, and whether that was looked at."""

    text: str
    state: AssumptionState


@dataclass(frozen=True)
class Bound:
    """An upper bound on an error that holds with probability at least ``confidence``.

    ``value`` is the sum of ``terms`` (checked).  ``vacuous`` says that the bound is no smaller than the
    largest possible error, so that it says nothing.  ``bounded`` names the quantity that is bounded.
    """

    value: float | None
    confidence: float
    terms: Mapping[str, float] = field(default_factory=dict)
    assumptions: tuple[Assumption, ...] = ()
    vacuous: bool | None = None
    bounded: str = "error rate"
    status: Status = "ok"
    reason: str | None = None
    stats: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_status(self.status, self.reason)
        if (self.status == "ok") != (self.value is not None):
            raise ValueError("a Bound has a value exactly when its status is 'ok'")
        if self.value is not None and not math.isclose(
            self.value, math.fsum(self.terms.values()), rel_tol=1e-9, abs_tol=1e-12
        ):
            raise ValueError(f"a Bound is the sum of its terms: {self.value} != sum of {dict(self.terms)}")

    @property
    def ok(self) -> bool:
        return self.status == "ok"

    @classmethod
    def missing(cls, status: Status, reason: str, confidence: float) -> "Bound":
        """A bound that could not be computed, with the reason."""
        return cls(value=None, confidence=confidence, status=status, reason=reason)
