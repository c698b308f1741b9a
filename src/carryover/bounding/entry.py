"""One row of the table of bounds: the bound, the same quantity measured on the test examples, and what it cost."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from carryover._core.results import Bound, Estimate
from carryover.bounds.expectation import ExpectationBound
from carryover.bounds.transfer import TransferBoundEstimate
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
) -> Entry:
    """A bound that does not apply, with the reason."""
    found = Bound(None, confidence, bounded=bounded, status="not_applicable", reason=reason)
    return Entry(name, found, NOT_JUDGED, kind)


def timed(name: str, compute: Callable[[], tuple[Found, Estimate]]) -> Entry:
    """The entry of what ``compute`` gives, with its time."""
    start = time.monotonic()
    found, truth = compute()
    return Entry(name, found, truth, _kind_of(found), time.monotonic() - start)


def _kind_of(found: Found) -> Kind:
    if isinstance(found, ExpectationBound):
        return "expectation"
    return "estimate" if isinstance(found, TransferBoundEstimate) else "confidence"


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
            "term_notes": {term.name: term.how for term in found.terms},
            "not_a_bound_because": list(found.not_a_bound_because),
        }
    return record


def _confidence(found: Bound | TransferBoundEstimate) -> float:
    return found.limit_confidence if isinstance(found, TransferBoundEstimate) else found.confidence


def _vacuous(found: Found) -> bool | None:
    vacuous = found.looks_vacuous if isinstance(found, TransferBoundEstimate) else found.vacuous
    return None if vacuous is None else bool(vacuous)


def _terms(found: Found) -> dict[str, float]:
    if isinstance(found, TransferBoundEstimate):
        return {term.name: float(term.value) for term in found.terms if term.value is not None}
    return {name: float(value) for name, value in found.terms.items()}
