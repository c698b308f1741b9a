"""A legend that flows over as many lines as the width needs, and what the figures' axes share."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from carryover.reports.canvas import FONT, MUTED, write
from carryover.reports.numbers import significant

LINE = 18
_CHARACTER = 0.64 * FONT


def legend_places(labels: Sequence[str], width: float) -> list[tuple[float, int]]:
    """For each label the pixel where its swatch starts and its line."""
    places, left, line = [], 0.0, 0
    for label in labels:
        needed = 16 + _CHARACTER * len(label) + 14
        if left and left + needed > width:
            left, line = 0.0, line + 1
        places.append((left, line))
        left += needed
    return places


def legend_height(labels: Sequence[str], width: float) -> int:
    """Pixels the legend takes."""
    return LINE * (1 + max((line for _, line in legend_places(labels, width)), default=-1))


def draw_legend(figure: Figure, entries: dict[str, Any], *, left: float, top: float, width: float) -> None:
    """Swatches with their labels, from (left, top) on."""
    full_width, full_height = figure.get_size_inches() * 72
    for (label, colour), (start, line) in zip(
        entries.items(), legend_places(list(entries), width), strict=True
    ):
        x, y = left + start, top + LINE * line + LINE / 2
        swatch = Rectangle(
            (x / full_width, 1 - (y + 4.5) / full_height),
            10 / full_width,
            9 / full_height,
            color=colour,
            linewidth=0,
        )
        swatch.set_transform(figure.transFigure)
        figure.add_artist(swatch)
        write(figure, x + 16, y, said=label, color=MUTED)


def draw_marks(
    figure: Figure, entries: dict[str, dict[str, Any]], *, left: float, top: float, width: float
) -> None:
    """A legend of markers: each entry says ``color``, ``marker`` and perhaps ``hollow``."""
    full_width, full_height = figure.get_size_inches() * 72
    for (label, style), (start, line) in zip(
        entries.items(), legend_places(list(entries), width), strict=True
    ):
        x, y = left + start, top + LINE * line + LINE / 2
        mark = Line2D(
            [(x + 5) / full_width],
            [1 - y / full_height],
            color=style["color"],
            marker=style["marker"],
            markersize=7,
            markeredgewidth=1.4,
            markerfacecolor="white" if style.get("hollow") else style["color"],
            linestyle="none",
            transform=figure.transFigure,
        )
        figure.add_artist(mark)
        write(figure, x + 16, y, said=label, color=MUTED)


def value_axis(axes: Axes, *, label: str, percent: bool, ticks: int = 5) -> None:
    """A horizontal axis of few round ticks, in percent or plain."""
    axes.xaxis.set_major_locator(MaxNLocator(nbins=ticks, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(tick_percent if percent else tick_plain))
    axes.set_xlabel(label, color=MUTED, fontsize=FONT, parse_math=False)


def tick_percent(value: float, _: int = 0) -> str:
    """A tick such as 40 % or 2.5 %."""
    return f"{100 * value:.4g} %".replace("-", "\N{MINUS SIGN}")


def tick_plain(value: float, _: int = 0) -> str:
    """A tick without superfluous zeros."""
    if value and (abs(value) < 1e-3 or abs(value) >= 1e5):
        return significant(value, 2)
    return f"{value:.6g}".replace("-", "\N{MINUS SIGN}")


def span(values: Sequence[float], *, pad: float = 0.06) -> tuple[float, float]:
    """Limits around the values, never of width zero."""
    low, high = min(values), max(values)
    margin = pad * (high - low) or 0.05 * abs(high) or 0.05
    return low - margin, high + margin
