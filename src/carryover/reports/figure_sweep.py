"""Figure of a sweep: one result against the first numeric parameter, a line for each value of the second."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from carryover.reports.canvas import FONT, MUTED, PALETTE, blank, panel, shorten, write
from carryover.reports.legend import draw_legend, legend_height, span, tick_plain

_LEFT, _TOP, _TALL, _TICKS, _LABEL = 66, 14, 270, 24, 26
_NAME, _CHARACTER = 24, 6.2  # pixels: the name of an axis on its side, and a character of a tick
MOST_LINES = 8
_DECADES = 2.0  # of a positive quantity: from there on its axis is logarithmic


@dataclass(frozen=True)
class Line:
    """Points of one colour, by ``x``: ``low`` and ``high`` are the interval's ends, NaN where there is none; points of
    the same ``path`` differ in ``x`` only, and are joined.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    low: np.ndarray
    high: np.ndarray
    path: np.ndarray


def sweep_figure(lines: Sequence[Line], width: int, *, x_name: str, y_name: str) -> Figure | None:
    """Points with their intervals, joined where only x differs.  None without points."""
    if not any(len(line.x) for line in lines):
        return None
    names = [shorten(line.name, width - 40) for line in lines] if len(lines) > 1 else []
    left = _left(lines)
    top = _TOP + legend_height(names, width - left)
    figure = blank(width, top + _TALL + _TICKS + _LABEL)
    axes = panel(figure, left=left, top=top, width=width - left - 12, height=_TALL)
    colours = _colours(len(lines))
    for line, colour in zip(lines, colours, strict=True):
        _draw(axes, line, colour)
    _scale(axes, "x", np.concatenate([line.x for line in lines]), ticks=6 if width >= 600 else 4)
    _scale(axes, "y", _heights(lines), ticks=5)
    axes.grid(True, axis="y", color="#eef1f4", linewidth=1)
    if names:
        draw_legend(figure, dict(zip(names, colours, strict=True)), left=left, top=4, width=width - left)
    said = shorten(y_name, _TALL)
    write(figure, 9, top + _TALL / 2, said=said, rotation=90, color=MUTED, ha="center")
    middle = left + (width - left) / 2
    write(
        figure,
        middle,
        top + _TALL + _TICKS + 10,
        said=shorten(x_name, width - left),
        color=MUTED,
        ha="center",
    )
    return figure


def _heights(lines: Sequence[Line]) -> np.ndarray:
    """All that the figure has to hold: values and ends of intervals."""
    ends = np.concatenate([part for line in lines for part in (line.y, line.low, line.high)])
    return ends[np.isfinite(ends)]


def _left(lines: Sequence[Line]) -> float:
    """Room for the ticks beside the name of the axis, which is wanted before there are axes."""
    axes = Figure().add_subplot()
    _scale(axes, "y", _heights(lines), ticks=5)
    low, high = axes.get_ylim()
    said = [tick_plain(tick) for tick in axes.get_yticks() if low <= tick <= high]
    return max(_LEFT, _NAME + _CHARACTER * max(map(len, said), default=0))


def _draw(axes: Axes, line: Line, colour: Any) -> None:
    for path in np.unique(line.path):
        own = line.path == path
        axes.plot(line.x[own], line.y[own], "-o", color=colour, markersize=4, linewidth=1.4, clip_on=False)
    known = np.isfinite(line.low) & np.isfinite(line.high)
    axes.vlines(line.x[known], line.low[known], line.high[known], color=colour, linewidth=1.2)


def _scale(axes: Axes, which: str, values: np.ndarray, *, ticks: int) -> None:
    """Logarithmic where the values are positive and span decades, else plain."""
    axis = getattr(axes, f"{which}axis")
    low, high = float(values.min()), float(values.max())
    if low > 0.0 and np.log10(high / low) >= _DECADES:
        getattr(axes, f"set_{which}scale")("log")
        ends = 10.0 ** np.array(span([float(np.log10(low)), float(np.log10(high))]))
    else:
        ends = span([low, high])
        axis.set_major_locator(MaxNLocator(nbins=ticks, steps=[1, 2, 2.5, 5, 10]))
    getattr(axes, f"set_{which}lim")(*ends)
    axis.set_major_formatter(FuncFormatter(tick_plain))
    axis.set_minor_formatter(FuncFormatter(lambda *_: ""))
    axes.tick_params(axis=which, which="minor", length=0)
    axes.tick_params(labelsize=FONT - 1)


def _colours(count: int) -> list[Any]:
    if count <= len(PALETTE):
        return list(PALETTE[:count])
    return [matplotlib.colormaps["viridis"](value) for value in np.linspace(0.0, 0.92, count)]
