"""Figure: each model's test result with its interval, and the probability that it is the best."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from carryover.reports import numbers
from carryover.reports.canvas import ACCENT, FAINT, GRID, INK, MUTED, blank, panel, shorten, write
from carryover.reports.legend import span, value_axis
from carryover.reports.metric import metric_of

_TOP, _BOTTOM = 28, 44


def ranking_figure(record: Mapping[str, Any], width: int) -> Figure | None:
    """Dots with intervals in the order of the ranking, probabilities at the right; None if nothing was measured."""
    rows = [row for row in record["ranking"] if row["accuracy"]["status"] == "ok"]
    if not rows:
        return None
    wide = width >= 600
    names, right, step = (290, 200, 30) if wide else (10, 92, 44)
    figure = blank(width, _TOP + step * len(rows) + _BOTTOM)
    plot = panel(figure, left=names, top=_TOP, width=width - names - right - 12, height=step * len(rows))
    _draw_intervals(plot, rows, offset=0.0 if wide else 0.18)
    metric = metric_of(record)
    value_axis(
        plot, label=f"test {metric.name}, 95 % interval", percent=metric.is_percent, ticks=5 if wide else 4
    )
    for index, row in enumerate(rows):
        middle = _TOP + step * (index + 0.5)
        weight = "bold" if index == 0 else "normal"
        if wide:
            said = shorten(row["name"], names - 16)
            write(figure, 0, middle, said=said, weight=weight)
        else:
            write(figure, 0, middle - 10, said=shorten(row["name"], width - 12), weight=weight)
    _draw_chances(figure, rows, width=width, right=right, step=step, wide=wide)
    return figure


def _draw_intervals(axes: Axes, rows: list[Mapping[str, Any]], *, offset: float) -> None:
    ends = [end for row in rows for end in (row["accuracy"]["interval"] or [row["accuracy"]["value"]])]
    axes.set_xlim(*span(ends))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks([])
    for index, row in enumerate(rows):
        colour = ACCENT if index == 0 else MUTED
        y = index + offset
        if row["accuracy"]["interval"]:
            axes.plot(row["accuracy"]["interval"], [y, y], color=colour, linewidth=2.5, alpha=0.55)
        axes.plot([row["accuracy"]["value"]], [y], "o", color=colour, markersize=7)


def _draw_chances(
    figure: Figure, rows: list[Mapping[str, Any]], *, width: int, right: int, step: int, wide: bool
) -> None:
    """A bar and a percentage for each model's probability of being the best."""
    write(
        figure,
        width - 6,
        12,
        said="probability of being best" if wide else "is best",
        color=MUTED,
        ha="right",
    )
    bars = panel(figure, left=width - right, top=_TOP, width=right - 56, height=step * len(rows))
    bars.set_axis_off()
    bars.set_xlim(0, 1)
    bars.set_ylim(len(rows) - 0.5, -0.5)
    for index, row in enumerate(rows):
        probability, y = row["probability_best"], index + (0 if wide else 0.18)
        thickness = 10 / step
        bars.barh(y, 1, height=thickness, color=GRID)
        bars.barh(y, probability or 0, height=thickness, color=ACCENT if index == 0 else FAINT)
        said = "–" if probability is None else numbers.chance(probability)
        write(figure, width - 6, _TOP + step * (y + 0.5), said=said, ha="right", color=INK)
