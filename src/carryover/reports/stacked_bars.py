"""What figures of bounds draw alike: a bar of stacked terms cut at the largest error, and marks upon it."""

from collections.abc import Mapping

from matplotlib.axes import Axes

from carryover.reports.bounds_view import segments
from carryover.reports.canvas import INK

LARGEST = 1.0
_BAR, _TICK, _MARK_PIXELS = 11, 8.5, 5.0


def draw_terms(axes: Axes, terms: Mapping[str, float], middle: float, *, colours: Mapping[str, str]) -> None:
    """The terms side by side from 0 on, cut at an error of 100 %."""
    for term, start, end in segments(terms, LARGEST):
        axes.barh(
            middle,
            end - start,
            left=start,
            height=_BAR,
            color=colours[term],
            linewidth=0,
            label=f"term:{term}",
        )


def draw_edges(axes: Axes, terms: Mapping[str, float], middle: float) -> None:
    """A white line between neighbouring terms, which may have one colour."""
    for _, start, _ in list(segments(terms, LARGEST))[1:]:
        axes.plot([start, start], [middle - _BAR / 2, middle + _BAR / 2], color="white", linewidth=1.2)


def draw_hatch(axes: Axes, middle: float) -> None:
    """What marks a vacuous bound, over its whole row."""
    style = {"color": "none", "edgecolor": "white", "hatch": "////", "linewidth": 0, "alpha": 0.75}
    axes.barh(middle, LARGEST, height=_BAR, label="vacuous", **style)


def draw_outline(
    axes: Axes, terms: Mapping[str, float], middle: float, *, colours: Mapping[str, str]
) -> None:
    """The terms faded and within a dashed edge: an estimate that must not pass for a bound."""
    for term, start, end in segments(terms, LARGEST):
        place = {"y": middle, "width": end - start, "left": start, "height": _BAR}
        axes.barh(**place, color=colours[term], alpha=0.22, linewidth=0, label=f"estimate:{term}")
        axes.barh(**place, color="none", edgecolor=colours[term], linewidth=1.1, linestyle=(0, (3, 2)))


def draw_truth(axes: Axes, value: float, middle: float, *, half_height: float = _TICK) -> None:
    """A black line at what was measured; none where it lies beyond the axis."""
    if value <= LARGEST:
        ends = [middle - half_height, middle + half_height]
        axes.plot([value, value], ends, color=INK, linewidth=2, label="truth")


def draw_hollow(axes: Axes, value: float, middle: float) -> None:
    """A hollow tick, a few pixels wide, centred on a value; none where that lies beyond the axis."""
    if value <= LARGEST:
        width = _MARK_PIXELS * (axes.get_xlim()[1] - axes.get_xlim()[0]) / axes.bbox.width
        axes.barh(
            middle,
            width,
            left=value - width / 2,
            height=2 * _TICK - 1,
            facecolor="white",
            edgecolor=INK,
            linewidth=1.1,
            label="null",
        )
