"""Figure: each bound as the sum of its terms, beside the error measured on the test split."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from carryover.reports.canvas import FAINT, INK, MUTED, PALETTE, PAPER, blank, panel, shorten, write
from carryover.reports.legend import draw_legend, legend_height, value_axis
from carryover.reports.numbers import percent
from carryover.reports.schema import BOUNDS
from carryover.reports.stacked_bars import LARGEST, draw_hatch, draw_terms, draw_truth
from carryover.reports.wording import term_words

SHORT = {"holdout": "hold-out", "rademacher": "Rademacher", "pac_bayes": "PAC-Bayes"}
LARGEST_SHOWN = 10.0
_TITLE, _BAR, _GAP, _AXIS = 24, 18, 12, 42


def bounds_figure(record: Mapping[str, Any], width: int) -> Figure | None:
    """Stacked terms, cut at an error of 100 %; what reaches it is vacuous and hatched; a line marks the test error."""
    models = _in_order(record)
    if not models:
        return None
    colours = _colours(models)
    left, right = 88, 100
    legend = {"measured test error": INK, **{term_words(term): colour for term, colour in colours.items()}}
    head = legend_height(list(legend), width) + 8
    step = _TITLE + _BAR * len(BOUNDS) + _GAP
    figure = blank(width, head + step * len(models) + _AXIS)
    draw_legend(figure, legend, left=0, top=0, width=width)
    plot = panel(figure, left=left, top=head, width=width - left - right, height=step * len(models))
    plot.set_xlim(0, LARGEST)
    plot.set_ylim(step * len(models), 0)
    plot.set_yticks([])
    for index, model in enumerate(models):
        top = step * index
        write(
            figure,
            0,
            head + top + _TITLE / 2 + 2,
            said=shorten(model["name"], width),
            weight="bold",
            bbox=PAPER,
        )
        for place, name in enumerate(BOUNDS):
            middle = top + _TITLE + _BAR * (place + 0.5)
            bound = model["bounds"][name]
            draw_terms(plot, bound["terms"], middle, colours=colours)
            if bound["vacuous"]:
                draw_hatch(plot, middle)
            write(figure, left - 8, head + middle, said=SHORT[name], ha="right", color=MUTED)
            write(figure, width, head + middle, said=_said(bound), ha="right", color=INK)
        accuracy = model["probe"].get("accuracy")
        if accuracy and accuracy["status"] == "ok":
            half = _BAR * len(BOUNDS) / 2
            draw_truth(plot, 1 - accuracy["value"], top + _TITLE + half, half_height=half)
    value_axis(plot, label="error rate and its upper bounds", percent=True, ticks=5 if width >= 600 else 3)
    return figure


def _in_order(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    models = {model["name"]: model for model in record["models"] if model["status"] == "ok"}
    order = [models[row["name"]] for row in record["ranking"] if row["name"] in models]
    return [model for model in order if any(model["bounds"][name]["status"] == "ok" for name in BOUNDS)]


def _colours(models: list[Mapping[str, Any]]) -> dict[str, str]:
    """A colour per term in the order of appearance; beyond the palette, grey."""
    terms = dict.fromkeys(
        term for model in models for name in BOUNDS for term in model["bounds"][name]["terms"]
    )
    return {term: PALETTE[index] if index < len(PALETTE) else FAINT for index, term in enumerate(terms)}


def _said(bound: Mapping[str, Any]) -> str:
    if bound["status"] != "ok":
        return bound["status"].replace("_", " ")
    if bound["vacuous"]:
        return f"{percent(bound['value'], 0)} vacuous" if bound["value"] < LARGEST_SHOWN else "vacuous"
    return f"≤ {percent(bound['value'])}"
