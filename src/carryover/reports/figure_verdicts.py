"""Figure: what the evidence assigns to labels, representation and domain, for each model."""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from carryover.reports.canvas import FAINT, INK, PALETTE, PAPER, blank, panel, shorten, write
from carryover.reports.legend import LINE, draw_legend, value_axis
from carryover.reports.schema import CAUSES
from carryover.reports.wording import LIMIT_CARD

COLOURS = dict(zip(CAUSES, (PALETTE[0], PALETTE[1], PALETTE[2]), strict=True))
_NAME, _STACK, _DOT, _GAP, _AXIS = 22, 16, 11, 12, 42


def verdicts_figure(record: Mapping[str, Any], width: int) -> Figure | None:
    """The parts stacked up to the error, and below each part with its interval from the same origin."""
    verdicts = [
        one for one in record["verdicts"] if any(e["status"] == "ok" for e in one["evidence"].values())
    ]
    if not verdicts:
        return None
    step = _NAME + _STACK + _DOT * len(CAUSES) + _GAP
    head = LINE + 6
    figure = blank(width, head + step * len(verdicts) + _AXIS)
    draw_legend(figure, COLOURS, left=0, top=0, width=width)
    plot = panel(figure, left=14, top=head, width=width - 30, height=step * len(verdicts))
    plot.set_ylim(step * len(verdicts), 0)
    plot.set_yticks([])
    plot.set_xlim(*_limits(verdicts))
    plot.axvline(0, color=FAINT, linewidth=1)
    for index, verdict in enumerate(verdicts):
        top = step * index
        _draw_evidence(plot, verdict["evidence"], top + _NAME)
        said = shorten(verdict["model"], width - 130)
        write(figure, 0, head + top + _NAME / 2, said=said, weight="bold", bbox=PAPER)
        limit = LIMIT_CARD[verdict["limited_by"]].lower()
        write(figure, width, head + top + _NAME / 2, said=limit, ha="right", color=INK, bbox=PAPER)
    value_axis(plot, label="parts of the test error", percent=True, ticks=5 if width >= 600 else 4)
    return figure


def _limits(verdicts: list[Mapping[str, Any]]) -> tuple[float, float]:
    lows, highs = [0.0], [0.0]
    for verdict in verdicts:
        known = [one for one in verdict["evidence"].values() if one["status"] == "ok"]
        ends = [end for one in known for end in (one["interval"] or [one["value"]])]
        lows += ends
        highs += [*ends, sum(max(one["value"], 0.0) for one in known)]
    margin = 0.03 * (max(highs) - min(lows)) or 0.05
    low = min(lows)
    return (low - margin if low < 0 else 0.0), max(highs) + margin


def _draw_evidence(axes: Axes, evidence: Mapping[str, Any], top: float) -> None:
    start = 0.0
    for place, cause in enumerate(CAUSES):
        estimate = evidence[cause]
        if estimate["status"] != "ok":
            continue
        length = max(estimate["value"], 0.0)
        axes.barh(top + _STACK / 2, length, left=start, height=_STACK - 3, color=COLOURS[cause], linewidth=0)
        start += length
        row = top + _STACK + _DOT * (place + 0.5)
        if estimate["interval"]:
            axes.plot(estimate["interval"], [row, row], color=COLOURS[cause], linewidth=2)
        axes.plot([estimate["value"]], [row], "o", color=COLOURS[cause], markersize=5)
