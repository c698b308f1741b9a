"""Axes with a light frame and grid, and the legend below them, for figures that are measured in inches."""

from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from carryover.reports.canvas import FAINT, GRID, INK, MUTED


def lighten(axes: Axes, *, grid: Literal["both", "x", "y"] = "both") -> None:
    """No frame above and on the right, a light grid behind what is drawn, small labels."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(colors=MUTED, labelsize=8, which="both")
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set(fontsize=9, color=INK)
    axes.grid(True, axis=grid, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def legend_below(figure: Figure, axes: Axes, *, columns: int = 4) -> None:
    """What ``axes`` name, in a legend below all panels; nothing where they name nothing."""
    handles, labels = axes.get_legend_handles_labels()
    if labels:
        columns = min(len(labels), columns)
        figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False, fontsize=8)
