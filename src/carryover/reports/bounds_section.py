"""What the section on all bounds is made of, the same in a report and on a page of its own."""

from collections.abc import Mapping, Sequence
from typing import Any

from carryover.reports import bounds_words, numbers
from carryover.reports.bounds_schema import KIND_OF
from carryover.reports.bounds_view import ShownBounds, shared_assumptions, terms_of

CAPTION = (
    "Bars: the terms a bound is the sum of; where a term is below 0 it shortens the others. Black tick: the "
    "quantity that the bound bounds, measured on the test split. Hatched: vacuous, the bar is cut at 100 %."
)
NULL_CAPTION = (
    " Hollow tick: what a bound in expectation comes to when the masks are shuffled, so that there is no "
    "information."
)
ESTIMATE_CAPTION = " Faded with a dashed edge: an estimate, not a bound."


def all_bounds_section(shown: Sequence[ShownBounds], made_of: Mapping[str, Any] | None) -> dict[str, Any]:
    """The variables of ``all_bounds.html.j2``; ``shown_bounds`` is empty where there is nothing to show."""
    entries = [entry for one in shown for entry in one.entries]
    has_null = any(one.has_null for one in shown)
    has_estimate = any(entry["kind"] == "estimate" for entry in entries)
    names = {entry["name"] for entry in entries}
    return {
        "shown_bounds": list(shown),
        "bounds_made_of": _made_of(made_of) if shown and made_of else "",
        "bounds_caption": CAPTION + NULL_CAPTION * has_null + ESTIMATE_CAPTION * has_estimate,
        "bounds_assumptions": shared_assumptions(shown),
        "bounds_words": bounds_words,
        "bounds_named": [name for name in KIND_OF if name in names],
        "terms_of": terms_of,
    }


def _made_of(found: Mapping[str, Any]) -> str:
    whole = numbers.whole
    said = (
        f"Each but hold-out is computed from {whole(found['n_bound'])} labels, of which a prior that is made from "
        f"labels takes {whole(found['n_prior'])}, at {numbers.percent(found['confidence'], 0)} confidence if it has a "
        "level. "
        f"The true values are measured on {whole(found['n_test'])} test examples."
    )
    unlabelled = found["unlabelled"].removesuffix(".")
    said += f" Unlabelled examples for the disagreement ({whole(found['n_unlabelled'])}): {unlabelled}."
    return f"{said} Computing all of them took {numbers.duration(found['seconds'])}."
