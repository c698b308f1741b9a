"""The report's figures, each as an inline SVG in two widths: for a desk or a printed page, and for a phone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from matplotlib.figure import Figure

from carryover.reports.bounds_view import bounds_of_run
from carryover.reports.canvas import NARROW, WIDE, drawing, to_svg
from carryover.reports.figure_adaptation import adaptation_figure
from carryover.reports.figure_all_bounds import all_bounds_figure, draw_all_bounds
from carryover.reports.figure_bounds import bounds_figure
from carryover.reports.figure_curves import curves_figure
from carryover.reports.figure_ranking import ranking_figure
from carryover.reports.figure_regime import regime_figure
from carryover.reports.figure_scores import scores_figure
from carryover.reports.figure_verdicts import verdicts_figure


@dataclass(frozen=True)
class Picture:
    """One figure drawn for wide and for narrow pages; the page's style sheet shows one of them."""

    wide: str
    narrow: str


@dataclass(frozen=True)
class _Plan:
    draw: Any
    title: str
    description: str


_PLANS = {
    "ranking": _Plan(
        ranking_figure,
        "Test result of each model with its interval, and its probability of being the best",
        "One row per model, best first. The numbers are in the ranking table.",
    ),
    "curves": _Plan(
        curves_figure,
        "Learning curves",
        "One panel per model: means over random subsets of the labels with intervals, the fitted law, its "
        "extrapolation to twice the labels dashed, and its limit dotted. The numbers are in the table below.",
    ),
    "scores": _Plan(
        scores_figure,
        "Transferability scores",
        "One panel per score, one row per model. The numbers are in the scores table.",
    ),
    "bounds": _Plan(
        bounds_figure,
        "Upper bounds on the error as sums of their terms",
        "Three bars per model beside its test error. The numbers are in the bounds table.",
    ),
    "all_bounds": _Plan(
        all_bounds_figure,
        "Every bound on one classifier as the sum of its terms",
        "One bar for each bound beside what the test split measured of the same quantity; bounds in expectation "
        "and the estimate of the transfer bound stand apart. The numbers are in the tables of all bounds.",
    ),
    "verdicts": _Plan(
        verdicts_figure,
        "Evidence for what limits each model",
        "Parts of the error with intervals: labels, representation, domain. The numbers are in the evidence table.",
    ),
    "adaptation": _Plan(
        adaptation_figure,
        "Test result of each adaptation plan with its interval, and its forecast",
        "One row per plan, the winner of each run first. The numbers are in the tables of plans.",
    ),
    "regime": _Plan(
        regime_figure,
        "Map of learning regimes",
        "One point per plan: how far its predictions lie from those without pretraining, and from those of the "
        "linearised network. The numbers are in the tables of evidence.",
    ),
}


def draw_figures(record: Mapping[str, Any]) -> dict[str, Picture | None]:
    """Every figure by its name in ``_PLANS``; None where nothing can be drawn.

    The same record gives the same bytes; ids are unique over all figures and both widths.
    """
    return {name: _draw(name, partial(plan.draw, record)) for name, plan in _PLANS.items()}


def draw_bounds_of_run(record: Mapping[str, Any]) -> Picture | None:
    """The figure of all bounds for a ``carryover.bounds/1`` record; None where no bound has a value."""
    return _draw("all_bounds", partial(draw_all_bounds, bounds_of_run(record)))


def _draw(name: str, draw: Callable[[int], Figure | None]) -> Picture | None:
    plan, drawn = _PLANS[name], {}
    with drawing():
        for size, width in (("wide", WIDE), ("narrow", NARROW)):
            figure = draw(width)
            if figure is not None:
                ident = f"figure-{name}-{size}"
                drawn[size] = to_svg(figure, ident, title=plan.title, description=plan.description)
    return Picture(**drawn) if drawn else None
