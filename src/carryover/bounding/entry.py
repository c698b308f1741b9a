"""One row of the table of bounds: the bound, the same quantity measured on the test examples, and what it cost."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from carryover._core.errors import InputError
from carryover._core.results import Assumption, Bound, Estimate, Status
from carryover.bounds.expectation import ExpectationBound
from carryover.bounds.transfer import TransferBoundEstimate
from carryover.bounds.transfer_terms import TransferTerm
from carryover.diagnosis.record import estimate_record

Kind = Literal["confidence", "expectation", "estimate"]
Found = Bound | ExpectationBound | TransferBoundEstimate
NOT_JUDGED = Estimate.missing("not_applicable", "there is no bound to judge")


@dataclass(frozen=True)
class Entry:
    """``found`` with ``truth``, the quantity it bounds on the test examples, and the ``seconds`` it took.

    ``kind``: whether it holds at a confidence level, in expectation only, or is the estimate of a bound.
    """

    name: str
    found: Found
    truth: Estimate
    kind: Kind
    seconds: float = 0.0

    @property
    def value(self) -> float | None:
        """The bound, None where there is none."""
        found = self.found
        return found.estimated_bound if isinstance(found, TransferBoundEstimate) else found.value

    @property
    def ratio(self) -> float | None:
        """Bound over truth, the tightness; None where one of them is missing or the truth is 0."""
        if self.value is None or not self.truth.value:
            return None
        return self.value / self.truth.value


def missing(
    name: str,
    reason: str,
    *,
    confidence: float,
    kind: Kind = "confidence",
    bounded: str = "error rate",
    status: Status = "not_applicable",
) -> Entry:
    """A bound that does not apply, or could not be computed, with the reason."""
    return Entry(
        name, Bound(None, confidence, bounded=bounded, status=status, reason=reason), NOT_JUDGED, kind
    )


@dataclass(frozen=True)
class Row:
    """How an entry of the table is computed; ``compute`` gives the bound and its truth.

    Where the data does not permit it, or the linear algebra fails, the entry says so and the others go on.
    """

    name: str
    compute: Callable[[], tuple[Found, Estimate]]
    kind: Kind = "confidence"
    bounded: str = "error rate"

    def entry(self, *, confidence: float) -> Entry:
        """The entry with its time."""
        start = time.monotonic()
        given = {"confidence": confidence, "kind": self.kind, "bounded": self.bounded}
        try:
            found, truth = self.compute()
        except InputError as error:
            return missing(self.name, str(error), **given)
        except np.linalg.LinAlgError as error:
            return missing(self.name, f"the linear algebra failed: {error}", status="failed", **given)
        return Entry(self.name, found, truth, self.kind, time.monotonic() - start)


def with_assumptions(found: Found, *more: Assumption) -> Found:
    """The same with more that is taken for granted."""
    return replace(found, assumptions=(*found.assumptions, *more))


def entry_record(entry: Entry) -> dict[str, Any]:
    """The entry as JSON (docs/report_schema.md, ``all_bounds``)."""
    found = entry.found
    record = {
        "name": entry.name,
        "kind": entry.kind,
        "status": getattr(found, "status", "ok"),
        "reason": getattr(found, "reason", None),
        "value": None if entry.value is None else float(entry.value),
        "confidence": None if entry.kind == "expectation" else float(_confidence(found)),
        "terms": _terms(found),
        "assumptions": [{"text": one.text, "state": one.state} for one in found.assumptions],
        "vacuous": _vacuous(found),
        "bounded": found.estimated if isinstance(found, TransferBoundEstimate) else found.bounded,
        "truth": estimate_record(entry.truth),
        "ratio": None if entry.ratio is None else float(entry.ratio),
        "seconds": round(entry.seconds, 3),
    }
    if isinstance(found, ExpectationBound):
        record |= {"null": found.null, "null_high": found.null_high, "n_repeats": found.n_repeats}
    if isinstance(found, TransferBoundEstimate):
        record |= {
            "term_notes": {term.name: _note(term) for term in found.terms},
            "not_a_bound_because": list(found.not_a_bound_because),
        }
    return record


def _note(term: TransferTerm) -> str:
    """How a term was obtained, its interval, and the share of the risk that it takes."""
    note = term.how
    if term.estimate is not None and term.estimate.interval is not None:
        low, high = term.estimate.interval
        note += f"; interval {low:.4g} to {high:.4g}"
    return note + (f"; fails with probability at most {term.risk:.3g}" if term.risk else "")


def _confidence(found: Bound | TransferBoundEstimate) -> float:
    return found.limit_confidence if isinstance(found, TransferBoundEstimate) else found.confidence


def _vacuous(found: Found) -> bool | None:
    vacuous = found.looks_vacuous if isinstance(found, TransferBoundEstimate) else found.vacuous
    return None if vacuous is None else bool(vacuous)


def _terms(found: Found) -> dict[str, float]:
    if isinstance(found, TransferBoundEstimate):
        return {term.name: float(term.value) for term in found.terms if term.value is not None}
    return {name: float(value) for name, value in found.terms.items()}
