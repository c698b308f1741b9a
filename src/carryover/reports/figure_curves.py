"""Figure: the learning curve of each model in a panel of its own, the others in grey behind it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from carryover.reports.canvas import (
    ACCENT,
    ACCENT_SOFT,
    FAINT,
    FONT,
    INK,
    MUTED,
    blank,
    panel,
    shorten,
    write,
)
from carryover.reports.legend import tick_percent, tick_plain
from carryover.reports.metric import Metric, largest_class_share, metric_of
from carryover.reports.numbers import whole

_LEFT, _GAP, _TITLE, _TICKS, _LABEL = 58, 14, 26, 22, 24
_LOWEST_R2 = -1.0


def curves_figure(record: Mapping[str, Any], width: int) -> Figure | None:
    """Means with intervals, the fitted law, its extrapolation to twice the labels (dashed) and its limit (dotted)."""
    order = [row["name"] for row in record["ranking"]]
    models = {model["name"]: model for model in record["models"] if model["status"] == "ok"}
    curves = {name: models[name]["learning_curve"] for name in order if name in models}
    curves = {name: curve for name, curve in curves.items() if curve["status"] == "ok" and curve["n"]}
    if not curves:
        return None
    columns = min(len(curves), 3 if width >= 600 else 1)
    rows = math.ceil(len(curves) / columns)
    each = (width - _LEFT - 8 - _GAP * (columns - 1)) / columns
    tall = 260 if len(curves) == 1 else 165
    step = _TITLE + tall + _TICKS
    figure = blank(width, rows * step + _LABEL)
    metric, baseline = metric_of(record), largest_class_share(record)
    limits = _limits(curves, baseline, metric)
    for index, name in enumerate(curves):
        row, column = divmod(index, columns)
        left, top = _LEFT + column * (each + _GAP), row * step + _TITLE
        axes = panel(figure, left=left, top=top, width=each, height=tall)
        _draw_axes(axes, curves, limits=limits, metric=metric, pixels=each)
        _draw_curve(axes, curves, name, metric=metric)
        _draw_baseline(axes, baseline, metric=metric)
        if column:
            axes.tick_params(labelleft=False)
        write(figure, left, top - 13, said=shorten(name, each), weight="bold")
    write(figure, 9, rows * step / 2, said=f"test {metric.name}", rotation=90, color=MUTED, ha="center")
    middle = _LEFT + (width - _LEFT) / 2
    write(figure, middle, rows * step + 10, said="number of labels (log scale)", color=MUTED, ha="center")
    return figure


def _limits(curves: Mapping[str, Any], baseline: float | None, metric: Metric) -> tuple[float, float]:
    values = [end for curve in curves.values() for pair in curve["interval"] for end in pair]
    values += [
        curve["asymptote"]["value"] for curve in curves.values() if curve["asymptote"]["status"] == "ok"
    ]
    values += [] if baseline is None else [baseline]
    low, high = max(min(values), _LOWEST_R2), min(max(values), 1.0)
    margin = (high - low) or 0.1
    return low - 0.13 * margin, high + 0.13 * margin


def _law(curve: Mapping[str, Any], n: np.ndarray) -> np.ndarray:
    law = curve["law"]
    return law["asymptote"] - law["amplitude"] * (n / law.get("reference", 1.0)) ** -law["exponent"]


def _spaced(values: Sequence[float], pixels_per_log: float) -> list[float]:
    """Ticks at the numbers of labels that were used, from the largest down, at least a label's width apart."""
    kept: list[float] = []
    for value in sorted(set(values), reverse=True):
        room = 7.5 * (len(whole(value)) + 2)
        if value > 0 and (not kept or pixels_per_log * math.log(kept[-1] / value) > room):
            kept.append(value)
    return kept


def _draw_axes(
    axes: Axes, curves: Mapping[str, Any], *, limits: tuple[float, float], metric: Metric, pixels: float
) -> None:
    counts = [n for curve in curves.values() for n in curve["n"]]
    low, high = max(1, min(counts)) / 1.15, 2 * max(counts) * 1.3
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    ticks = _spaced([*counts, 2 * max(counts)], pixels / math.log(high / low))
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: whole(round(value))))
    axes.set_ylim(*limits)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(tick_percent if metric.is_percent else tick_plain))
    axes.grid(False, axis="x")
    axes.grid(True, axis="y", color="#eef1f4", linewidth=1)


def _draw_curve(axes: Axes, curves: Mapping[str, Any], name: str, *, metric: Metric) -> None:
    others = [np.column_stack([one["n"], one["accuracy"]]) for key, one in curves.items() if key != name]
    axes.add_collection(LineCollection(others, colors=FAINT, linewidths=1), autolim=False)
    curve = curves[name]
    n = np.asarray(curve["n"], dtype=float)
    low, high = np.transpose(curve["interval"])
    axes.fill_between(n, low, high, color=ACCENT_SOFT, linewidth=0, alpha=0.8)
    axes.plot(n, curve["accuracy"], "o", color=ACCENT, markersize=4.5)
    if curve["law"]:
        fitted, beyond = np.geomspace(n.min(), n.max(), 40), np.geomspace(n.max(), 2 * n.max(), 12)
        axes.plot(fitted, _law(curve, fitted), color=ACCENT, linewidth=1.8)
        axes.plot(beyond, _law(curve, beyond), color=ACCENT, linewidth=1.8, dashes=(3, 2))
    else:
        axes.plot(n, curve["accuracy"], color=ACCENT, linewidth=1.2)
    gain, last = curve["gain_from_doubling"], curve["accuracy"][-1]
    if gain["status"] == "ok":
        if gain["interval"]:
            axes.plot(
                [2 * n.max()] * 2, [last + end for end in gain["interval"]], color=ACCENT, linewidth=1.5
            )
        axes.plot(
            [2 * n.max()], [last + gain["value"]], "o", color=ACCENT, markersize=5.5, markerfacecolor="white"
        )
    if curve["asymptote"]["status"] == "ok":
        _draw_level(
            axes,
            curve["asymptote"]["value"],
            f"limit {metric.number(curve['asymptote']['value'])}",
            colour=INK,
        )


def _draw_level(axes: Axes, value: float, said: str, *, colour: str) -> None:
    low, high = axes.get_ylim()
    if low <= value <= high:
        axes.axhline(value, color=colour, linewidth=1, linestyle=(0, (1, 2)))
        place = {"xy": (0.0, value), "xycoords": axes.get_yaxis_transform(), "textcoords": "offset points"}
        axes.annotate(
            said,
            xytext=(2, 3),
            va="bottom",
            ha="left",
            fontsize=FONT - 1,
            color=colour,
            parse_math=False,
            **place,
        )


def _draw_baseline(axes: Axes, baseline: float | None, *, metric: Metric) -> None:
    if baseline is None:
        return
    said = f"largest class {metric.number(baseline)}" if metric.is_percent else "predicting the mean"
    axes.axhline(baseline, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    place = {"xy": (1.0, baseline), "xycoords": axes.get_yaxis_transform(), "textcoords": "offset points"}
    axes.annotate(
        said, xytext=(-2, -3), va="top", ha="right", fontsize=FONT - 1, color=MUTED, parse_math=False, **place
    )
