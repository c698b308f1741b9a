"""The figure of ``curl_pairs``: accuracy by negatives and block size, and of both classifiers."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from carryover.experiments.entry import REPORTED
from carryover.reports.canvas import FAINT, PALETTE, drawing
from carryover.reports.seed_panels import dress, interval_points

_SIZE = (12.4, 4.0)
_NAMES = {"negatives": "negatives k", "block": "block size b"}


def pairs_figure(table: pd.DataFrame) -> Figure:
    """Means over seeds with 95 % intervals; grey: the same encoders before pretraining."""
    own = table[(table["role"] == REPORTED) & (table["status"] == "ok")].copy()
    own["accuracy"] = 100.0 * own["accuracy"].astype(float)
    binary = own[(own["classes"] == 2) & (own["classifier"] == "mean")]
    with drawing():
        figure = Figure(figsize=_SIZE, layout="constrained")
        panels = figure.subplots(1, 3)
        panels[1].sharey(panels[0])
        _swept(panels[0], binary[binary["block"] == 1], "negatives")
        _swept(panels[1], binary[binary["negatives"] == 1], "block")
        _by_classes(panels[2], own[(own["negatives"] == 1) & (own["block"] == 1)])
        titles = (
            "single examples (b = 1)",
            "one negative (k = 1)",
            "k = 1, b = 1, as many tuples",
        )
        for axes, title in zip(panels, titles, strict=True):
            dress(axes, title)
        panels[0].set_ylabel("AVG-2 of the mean classifier, %")
        panels[2].set_ylabel("accuracy, %")
    return figure


def _swept(axes: Axes, own: pd.DataFrame, knob: str) -> None:
    after = own[own["when"] == "after"]
    for colour, (matched, part) in zip(PALETTE, after.groupby("matched", sort=False), strict=False):
        interval_points(axes, part, x=knob, colour=colour, label=f"as many {matched}", line=True)
    axes.set(xscale="log", xlabel=_NAMES[knob])
    _ticks(axes, sorted(set(own[knob])))


def _by_classes(axes: Axes, own: pd.DataFrame) -> None:
    own = own[own["matched"] == "tuples"]
    for (when, classifier), part in own.groupby(["when", "classifier"], sort=False):
        colour = PALETTE[("mean", "trained").index(classifier) + 2] if when == "after" else FAINT
        label = f"{classifier} classifier" if when == "after" else f"{classifier}, before pretraining"
        marker = "o" if classifier == "mean" else "s"
        interval_points(axes, part, x="classes", colour=colour, label=label, line=True, marker=marker)
    axes.set(xscale="log", xlabel="classes of a task")
    _ticks(axes, sorted(set(own["classes"])))


def _ticks(axes: Axes, values: list[int]) -> None:
    """Plain numbers: a page's figures are drawn without matplotlib's mathematics."""
    axes.xaxis.set_major_locator(FixedLocator(values))
    axes.xaxis.set_major_formatter(FixedFormatter([str(value) for value in values]))
    axes.xaxis.set_minor_locator(NullLocator())
