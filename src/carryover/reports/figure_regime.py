"""Figure: the map of learning regimes, lazy to rich over pretraining-independent to -dependent, a point a plan."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from carryover.reports.adaptation_view import Plan, ShownRun, is_placed, map_point, regime_runs
from carryover.reports.canvas import (
    FAINT,
    FONT,
    GRID,
    INK,
    MUTED,
    PALETTE,
    blank,
    panel,
    shorten,
    write,
)
from carryover.reports.legend import draw_marks, legend_height, tick_plain

_LEFT, _GAP, _TITLE, _TICKS, _LABEL = 74, 84, 28, 38, 20
_SHAPES = "os^Dv"
_X, _Y = "distance to predictions without pretraining", "order of the bias"
_LAZY, _RICH = 2.0, 1.0  # ridge and L1: the ends of the axis, turned so that rich is up
_ROOM = 480


def regime_figure(record: Mapping[str, Any], width: int) -> Figure | None:
    """A panel a run; crosses are intervals, hollow points those that the run could not place, borders dashed."""
    runs = [one for one in regime_runs(record) if any(map(map_point, one.plans))]
    if not runs:
        return None
    columns = min(len(runs), 2 if width >= 600 else 1)
    rows = math.ceil(len(runs) / columns)
    each = (width - _LEFT - 14 - _GAP * (columns - 1)) / columns
    tall = 330 if width >= 600 else 260
    styles = _styles(runs)
    marks = {shorten(name, width - 60): style for name, style in styles.items()}
    head = legend_height(list(marks), width) + 8
    step = _TITLE + tall + _TICKS + _LABEL
    figure = blank(width, head + step * rows)
    draw_marks(figure, marks, left=0, top=0, width=width)
    for index, one in enumerate(runs):
        row, column = divmod(index, columns)
        left, top = _LEFT + column * (each + _GAP), head + row * step + _TITLE
        axes = panel(figure, left=left, top=top, width=each, height=tall)
        _draw_map(axes, one, styles)
        _name_axes(figure, left=left, top=top, size=(each, tall))
        title = shorten(one.title, each + (_LEFT if columns == 1 else 0))
        write(figure, left - (_LEFT if columns == 1 else 0), top - 15, said=title, weight="bold")
    return figure


def _styles(runs: Sequence[ShownRun]) -> dict[str, dict[str, Any]]:
    """A colour and a shape for each plan's name, the same in every panel."""
    names = dict.fromkeys(plan["plan"] for one in runs for plan in one.plans if map_point(plan))
    return {
        name: {
            "color": PALETTE[index % len(PALETTE)],
            "marker": _SHAPES[(index + index // len(PALETTE)) % len(_SHAPES)],
        }
        for index, name in enumerate(names)
    }


def _draw_map(axes: Axes, shown: ShownRun, styles: Mapping[str, Mapping[str, Any]]) -> None:
    points = {plan["plan"]: (plan, point) for plan in shown.plans if (point := map_point(plan))}
    borders = {
        axis: _borders([plan for plan, _ in points.values()], axis) for axis in ("pretraining", "learning")
    }
    ends = [end for _, (x, _) in points.values() for end in (x["interval"] or [x["value"]])]
    highest, lowest = max([*ends, *borders["pretraining"]]), min(0.0, *ends)
    margin = 0.06 * (highest - lowest) or 0.05
    axes.set_xlim(lowest - margin * 0.6, highest + margin)
    axes.set_ylim(_LAZY + 0.06, _RICH - 0.06)
    for draw, axis in ((axes.axvline, "pretraining"), (axes.axhline, "learning")):
        for border in borders[axis]:
            draw(border, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
        axis.set_major_formatter(FuncFormatter(tick_plain))
    axes.spines["left"].set_visible(True)
    axes.spines["left"].set_color(FAINT)
    axes.grid(True, axis="y", color=GRID, linewidth=1)
    for name, (plan, (x, y)) in points.items():
        _draw_point(axes, x, y, style=styles[name], hollow=not is_placed(plan))


def _borders(plans: Sequence[Plan], axis: str) -> list[float]:
    found = [plan["regime"]["borders"][axis] for plan in plans]
    return sorted({border for border in found if border is not None})


def _draw_point(
    axes: Axes, x: Mapping[str, Any], y: Mapping[str, Any], *, style: Mapping[str, Any], hollow: bool
) -> None:
    colour = style["color"]
    if x["interval"]:
        axes.plot(x["interval"], [y["value"]] * 2, color=colour, linewidth=1.5, alpha=0.7)
    if y["interval"]:
        axes.plot([x["value"]] * 2, y["interval"], color=colour, linewidth=1.5, alpha=0.7)
    axes.plot(
        [x["value"]],
        [y["value"]],
        style["marker"],
        color=colour,
        markersize=8,
        markeredgewidth=1.6,
        markerfacecolor="white" if hollow else colour,
    )


def _name_axes(figure: Figure, *, left: float, top: float, size: tuple[float, float]) -> None:
    """What each axis measures, and at its ends what that means."""
    width, height = size
    below, beside = top + height + 30, left - 46
    write(figure, left, below, said="independent", color=INK, weight="bold")
    write(figure, left + width, below, said="dependent", color=INK, weight="bold", ha="right")
    place = below + 18 if width < _ROOM else below
    write(figure, left + width / 2, place, said=_X, color=MUTED, ha="center")
    turned = {"rotation": 90, "ha": "center", "fontsize": FONT}
    write(figure, beside, top + height, said="lazy", color=INK, weight="bold", **{**turned, "va": "bottom"})
    write(figure, beside, top, said="rich", color=INK, weight="bold", **{**turned, "va": "top"})
    write(figure, beside, top + height / 2, said=_Y, color=MUTED, **turned)
