"""Figure: every bound on one classifier as a bar of its terms, beside what was measured of the same quantity."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from carryover.reports.bounds_view import ShownBounds, bounds_of_models
from carryover.reports.bounds_words import ROLES, SHORT_NAMES, Entry, level, role_of
from carryover.reports.canvas import FAINT, INK, MUTED, PALETTE, PAPER, blank, panel, shorten, write
from carryover.reports.legend import draw_legend, draw_marks, legend_height, value_axis
from carryover.reports.numbers import percent
from carryover.reports.stacked_bars import (
    draw_edges,
    draw_hatch,
    draw_hollow,
    draw_outline,
    draw_terms,
    draw_truth,
)
from carryover.reports.wording import STATUSES

ROLE_COLOURS = dict(zip(ROLES, (*PALETTE, FAINT), strict=True))
EXPECTATION = "In expectation only, at no confidence level"
ESTIMATE = "An estimate, not a bound"
NULL_MARK = "with shuffled masks"
_TRUTH_MARK = "measured on the test split"
_TITLE, _HEADING, _GAP, _AXIS = 28, 24, 12, 44
_LARGEST_SAID = 10.0


@dataclass(frozen=True)
class _Line:
    """A line of the figure: a title, a heading, or the bar of an entry; ``top`` in pixels from the first."""

    top: float
    height: float
    said: str
    entry: Entry | None = None


def all_bounds_figure(record: Mapping[str, Any], width: int) -> Figure | None:
    """Each model of a diagnosis that has all bounds, one below the other; None without any."""
    return draw_all_bounds(bounds_of_models(record), width)


def draw_all_bounds(shown: list[ShownBounds], width: int) -> Figure | None:
    """One row for each bound: terms stacked and cut at 100 %, vacuous ones hatched, the truth as a black tick.

    Bounds in expectation stand apart, with what shuffled masks give as a hollow tick; the estimate of the
    transfer bound is faded within a dashed edge.  None where no entry of any has a value.
    """
    entries = [entry for one in shown for entry in one.entries]
    if not any(entry["status"] == "ok" for entry in entries):
        return None
    wide = width >= 600
    left, right, step = (196, 112, 24) if wide else (14, 24, 42)
    lines = list(_lines(shown, step))
    roles, marks = _roles(entries), _marks(entries)
    swatches = legend_height(list(roles), width)
    head = swatches + legend_height(list(marks), width) + 8
    tall = lines[-1].top + lines[-1].height + 6
    figure = blank(width, head + tall + _AXIS)
    draw_legend(figure, roles, left=0, top=0, width=width)
    draw_marks(figure, marks, left=0, top=swatches, width=width)
    plot = panel(figure, left=left, top=head, width=width - left - right, height=tall)
    plot.set_xlim(0, 1)
    plot.set_ylim(tall, 0)
    plot.set_yticks([])
    for line in lines:
        if line.entry is None:
            _write_title(figure, line, head, width=width)
        else:
            bar, text = (0.5, 0.5) if wide else (0.7, 0.26)
            _draw_entry(plot, line.entry, line.top + bar * line.height)
            _write_entry(
                figure, line, head + line.top + text * line.height, room=(left if wide else None, width)
            )
    value_axis(plot, label="error rate, its bounds and estimates", percent=True, ticks=5 if wide else 3)
    return figure


def _lines(shown: list[ShownBounds], step: float) -> Iterator[_Line]:
    top = 0.0
    for one in shown:
        yield _Line(top, _TITLE, one.title)
        top += _TITLE
        for kind in ("confidence", "expectation", "estimate"):
            entries = one.of_kind(kind)
            if entries:
                yield _Line(top, _HEADING, _heading(kind, entries))
                top += _HEADING
            for entry in entries:
                yield _Line(top, step, SHORT_NAMES[entry["name"]], entry)
                top += step
        top += _GAP


def _heading(kind: str, entries: list[Entry]) -> str:
    if kind != "confidence":
        return EXPECTATION if kind == "expectation" else ESTIMATE
    stated = next((entry["confidence"] for entry in entries if entry["confidence"] is not None), None)
    return "At a confidence level" if stated is None else f"At {percent(stated, 0)} confidence"


def _roles(entries: list[Entry]) -> dict[str, str]:
    """The legend of colours: those roles that some term has."""
    found = {role_of(term) for entry in entries for term in entry["terms"]}
    return {ROLES[role]: colour for role, colour in ROLE_COLOURS.items() if role in found}


def _marks(entries: list[Entry]) -> dict[str, dict[str, Any]]:
    marks = {_TRUTH_MARK: {"color": INK, "marker": "|"}}
    if any(_null_of(entry) is not None for entry in entries):
        marks[NULL_MARK] = {"color": INK, "marker": "s", "hollow": True}
    return marks


def _null_of(entry: Entry) -> float | None:
    """What the bound comes to where its information term is that of shuffled masks."""
    if entry["status"] != "ok" or entry.get("null") is None:
        return None
    return entry["value"] - entry["terms"].get("information", 0.0) + entry["null"]


def _draw_entry(axes: Axes, entry: Entry, middle: float) -> None:
    terms = entry["terms"]
    colours = {term: ROLE_COLOURS[role_of(term)] for term in terms}
    if entry["kind"] == "estimate":
        draw_outline(axes, terms, middle, colours=colours)
    elif entry["status"] == "ok":
        draw_terms(axes, terms, middle, colours=colours)
        draw_edges(axes, terms, middle)
    if entry["status"] == "ok" and entry["vacuous"]:
        draw_hatch(axes, middle)
    if (null := _null_of(entry)) is not None:
        draw_hollow(axes, null, middle)
    if entry["truth"]["status"] == "ok":
        draw_truth(axes, entry["truth"]["value"], middle)


def _write_title(figure: Figure, line: _Line, head: float, *, width: float) -> None:
    is_title = line.height == _TITLE
    style = {"weight": "bold"} if is_title else {"color": MUTED, "style": "italic"}
    middle = head + line.top + line.height / 2 + 2
    write(figure, 0, middle, said=shorten(line.said, width - 8), bbox=PAPER, **style)


def _write_entry(figure: Figure, line: _Line, middle: float, *, room: tuple[float | None, float]) -> None:
    """The name at the left and the value at the right: beside the bar, or above it where ``room[0]`` is None."""
    names, width = room
    if names is None:
        write(figure, 10, middle, said=line.said, color=MUTED, bbox=PAPER)
    else:
        write(figure, names - 8, middle, said=shorten(line.said, names), ha="right", color=MUTED)
    write(figure, width, middle, said=_said(line.entry), ha="right", color=INK, bbox=PAPER)


def _said(entry: Entry) -> str:
    if entry["status"] != "ok":
        return STATUSES[entry["status"]]
    sign = {"confidence": "≤ ", "expectation": "", "estimate": "≈ "}[entry["kind"]]
    if not entry["vacuous"]:
        return f"{sign}{level(entry['value'])}"
    if entry["value"] >= _LARGEST_SAID:
        return "vacuous"
    return f"{sign if entry['kind'] == 'estimate' else ''}{percent(entry['value'], 0)} vacuous"
