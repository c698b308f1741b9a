"""Figure: each plan's test result with its interval, and what was forecast of it before it ran."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from carryover.reports.adaptation_view import ShownRun, adapted_runs
from carryover.reports.canvas import ACCENT, FONT, INK, MUTED, PALETTE, PAPER, blank, panel, shorten, write
from carryover.reports.legend import draw_marks, legend_height, span, value_axis
from carryover.reports.metric import Metric, metric_of

_TITLE, _GAP, _AXIS = 26, 10, 44
FORECAST = PALETTE[5]


def adaptation_figure(record: Mapping[str, Any], width: int) -> Figure | None:
    """Runs one below the other over one axis, their plans best on the validation labels first."""
    runs, metric = adapted_runs(record), metric_of(record)
    values = _ends(runs, metric)
    if not values:
        return None
    wide = width >= 600
    names, step = (200, 30) if wide else (10, 48)
    marks = _marks(runs, metric)
    head = legend_height(list(marks), width) + 6
    tall = sum(_TITLE + step * len(one.plans) + _GAP for one in runs)
    figure = blank(width, head + tall + _AXIS)
    draw_marks(figure, marks, left=0, top=0, width=width)
    plot = panel(figure, left=names, top=head, width=width - names - 14, height=tall)
    plot.set_xlim(*span(values))
    plot.set_ylim(tall, 0)
    plot.set_yticks([])
    label = f"test {metric.name}, 95 % interval"
    value_axis(plot, label=label, percent=metric.is_percent, ticks=6 if wide else 4)
    top = 0.0
    for one in runs:
        said = shorten(one.title, width - 8)
        write(figure, 0, head + top + _TITLE / 2, said=said, weight="bold", bbox=PAPER)
        top += _TITLE
        for plan in one.plans:
            winner = plan["plan"] == one.run["winner"]
            middle, name = (0.5 * step, 0.5 * step) if wide else (0.62 * step, 0.22 * step)
            _draw_plan(plot, plan, top + middle, metric=metric, colour=ACCENT if winner else MUTED)
            said = plan["plan"] + (", winner" if winner else "")
            said = shorten(said, (names if wide else width) - 20)
            write(figure, 0, head + top + name, said=said, color=INK if winner else MUTED, bbox=PAPER)
            top += step
        top += _GAP
    return figure


def _marks(runs: list[ShownRun], metric: Metric) -> dict[str, dict[str, Any]]:
    marks = {f"test {metric.name}": {"color": MUTED, "marker": "o"}}
    if any(_forecast(plan) for one in runs for plan in one.plans):
        marks["forecast made before the run"] = {"color": FORECAST, "marker": "D", "hollow": True}
    return marks


def _forecast(plan: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found = plan["forecast"] and plan["forecast"]["accuracy"]
    return found if found and found["status"] == "ok" else None


def _ends(runs: list[ShownRun], metric: Metric) -> list[float]:
    estimates = [plan[f"test_{metric.key}"] for one in runs for plan in one.plans]
    estimates = [one for one in estimates if one["status"] == "ok"]
    estimates += [found for one in runs for plan in one.plans if (found := _forecast(plan))]
    return [end for one in estimates for end in (one["interval"] or [one["value"]])]


def _draw_plan(axes: Axes, plan: Mapping[str, Any], middle: float, *, metric: Metric, colour: str) -> None:
    found, forecast = plan[f"test_{metric.key}"], _forecast(plan)
    upper, lower = (middle - 4.5, middle + 5.5) if forecast else (middle, middle)
    if found["status"] == "ok":
        if found["interval"]:
            axes.plot(found["interval"], [upper, upper], color=colour, linewidth=2.5, alpha=0.55)
        axes.plot([found["value"]], [upper], "o", color=colour, markersize=7)
    else:
        place = {"xy": (0.02, upper), "xycoords": axes.get_yaxis_transform(), "va": "center"}
        said = f"test {metric.name} {found['status'].replace('_', ' ')}"
        axes.annotate(said, fontsize=FONT - 1, color=MUTED, style="italic", **place)
    if forecast:
        if forecast["interval"]:
            axes.plot(forecast["interval"], [lower, lower], color=FORECAST, linewidth=1.2)
        axes.plot(
            [forecast["value"]],
            [lower],
            "D",
            color=FORECAST,
            markersize=5.5,
            markerfacecolor="white",
        )
