"""Figure: each score in a panel with its own axis, models as rows in the order of the ranking."""

import math
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from carryover.reports.agreement import ranking_agreement
from carryover.reports.canvas import ACCENT, INK, MUTED, blank, panel, shorten, write
from carryover.reports.legend import span, tick_percent, tick_plain
from carryover.reports.numbers import power_of_ten, times_power
from carryover.reports.schema import SCORES
from carryover.reports.wording import SCORE_NAMES

PERCENT_SCORES = ("knn", "ridge_loo")
SHORT = {"ridge_loo": "Ridge LOO"}
_TITLE, _TICKS, _ROW = 30, 30, 20


def shown_scores(record: Mapping[str, Any]) -> list[str]:
    """The scores at least one model has."""
    measured = [model["scores"] for model in record["models"] if model["status"] == "ok"]
    return [
        name for name in SCORE_NAMES if name in SCORES and any(s[name]["status"] == "ok" for s in measured)
    ]


def scores_figure(record: Mapping[str, Any], width: int) -> Figure | None:
    """Dots with intervals; the title of each panel says how far it orders the models as the test result does."""
    scores = shown_scores(record)
    models = {model["name"]: model for model in record["models"] if model["status"] == "ok"}
    order = [models[row["name"]] for row in record["ranking"] if row["name"] in models]
    if not scores or not order:
        return None
    wide = width >= 600
    names, columns, gap = (200, 3, 26) if wide else (122, 1, 0)
    each = (width - names - 12 - gap * (columns - 1)) / columns
    tall = _ROW * len(order) + 6
    step = _TITLE + tall + _TICKS
    figure = blank(width, step * math.ceil(len(scores) / columns))
    for index, score in enumerate(scores):
        row, column = divmod(index, columns)
        left, top = names + column * (each + gap), row * step + _TITLE
        axes = panel(figure, left=left, top=top, width=each, height=tall)
        percent = score in PERCENT_SCORES and record["data"]["target"]["task"] == "classification"
        estimates = [model["scores"][score] for model in order]
        power = 0 if percent else _power(estimates)
        _draw_score(axes, estimates, percent=percent, power=power)
        title = f"{SHORT.get(score, SCORE_NAMES[score])}{times_power(power)}"
        write(figure, left, top - 14, said=title, weight="bold")
        agreement = ranking_agreement(record, score)
        if agreement is not None:
            said = f"τ {agreement:.2f}".replace("-", "\N{MINUS SIGN}")
            write(figure, left + each, top - 14, said=said, ha="right", color=MUTED)
        if column == 0:
            for place, model in enumerate(order):
                said = shorten(model["name"], names - 12)
                write(figure, 0, top + 3 + _ROW * (place + 0.5), said=said, color=INK)
    return figure


def _power(estimates: list[Mapping[str, Any]]) -> int:
    """The power of ten written in the title instead of in each tick, for very small and very large values."""
    largest = max(abs(estimate["value"]) for estimate in estimates if estimate["status"] == "ok")
    return power_of_ten(largest)


def _draw_score(axes: Axes, estimates: list[Mapping[str, Any]], *, percent: bool, power: int) -> None:
    margin = 3 / _ROW
    axes.set_ylim(len(estimates) - 0.5 + margin, -0.5 - margin)
    axes.set_yticks([])
    known = [estimate for estimate in estimates if estimate["status"] == "ok"]
    axes.set_xlim(*span([end for one in known for end in (one["interval"] or [one["value"]])], pad=0.1))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=3, steps=[1, 2, 5, 10]))
    plain = FuncFormatter(lambda value, _: tick_plain(value / 10.0**power))
    axes.xaxis.set_major_formatter(FuncFormatter(tick_percent) if percent else plain)
    for place, estimate in enumerate(estimates):
        colour = ACCENT if place == 0 else MUTED
        if estimate["status"] != "ok":
            axes.annotate(
                estimate["status"].replace("_", " "),
                xy=(0.02, place),
                xycoords=axes.get_yaxis_transform(),
                va="center",
                fontsize=9,
                color=MUTED,
                style="italic",
            )
            continue
        if estimate["interval"]:
            axes.plot(estimate["interval"], [place, place], color=colour, linewidth=2, alpha=0.55)
        axes.plot([estimate["value"]], [place], "o", color=colour, markersize=5)
