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
    top = _TOP + legend_height(names, width - _LEFT)
    figure = blank(width, top + _TALL + _TICKS + _LABEL)
    axes = panel(figure, left=_LEFT, top=top, width=width - _LEFT - 12, height=_TALL)
    colours = _colours(len(lines))
    for line, colour in zip(lines, colours, strict=True):
        _draw(axes, line, colour)
    x, y = (np.concatenate([getattr(line, name) for line in lines]) for name in ("x", "y"))
    ends = np.concatenate([part for line in lines for part in (line.low, line.high)])
    _scale(axes, "x", x, ticks=6 if width >= 600 else 4)
    _scale(axes, "y", np.concatenate([y, ends[np.isfinite(ends)]]), ticks=5)
    axes.grid(True, axis="y", color="#eef1f4", linewidth=1)
    if names:
        draw_legend(figure, dict(zip(names, colours, strict=True)), left=_LEFT, top=4, width=width - _LEFT)
    said = shorten(y_name, _TALL)
    write(figure, 9, top + _TALL / 2, said=said, rotation=90, color=MUTED, ha="center")
    middle = _LEFT + (width - _LEFT) / 2
    write(
        figure,
        middle,
        top + _TALL + _TICKS + 10,
        said=shorten(x_name, width - _LEFT),
        color=MUTED,
        ha="center",
    )
    return figure


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
