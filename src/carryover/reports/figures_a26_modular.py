"""The figure of a26_modular: accuracy on held-out pairs against each scale, a row for each task."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from carryover.experiments.entries.a26.modular_protocol import NEW, REUSE, STARTS, TRAINED
from carryover.reports.canvas import INK, PALETTE, drawing
from carryover.reports.light_axes import legend_below, lighten

_KNOBS: Mapping[str, str] = {
    "scale": "scale of all weights, c",
    "early_scale": "relative scale of embeddings, kappa",
    "readout": "scale of the new readout, gamma",
}
_TITLES: Mapping[str, str] = {REUSE: "a + b, reused", NEW: "a² + b², new"}


def modular_figure(table: pd.DataFrame) -> Figure:
    """Means over seeds with two standard errors, a colour for each number of samples; dashed from random weights."""
    table = table[table["status"] == "ok"]
    base = {"scale": 1.0, "early_scale": 1.0, "readout": table["readout"].min()}
    with drawing():
        figure = Figure(figsize=(11.0, 6.2), layout="constrained")
        panels = figure.subplots(2, 3, sharey=True, sharex="col", squeeze=False)
        for place, (knob, said) in enumerate(_KNOBS.items()):
            others = [name for name in base if name != knob]
            moving = table[(table[others] == pd.Series(base)[others]).all(axis=1)]
            for axes, (task, title) in zip(panels[:, place], _TITLES.items(), strict=True):
                _draw(axes, moving[moving["task"] == task], knob)
                axes.set_title(title, fontsize=10, color=INK, loc="left")
            panels[1, place].set_xlabel(said)
        for row in panels:
            row[0].set_ylabel("accuracy on held-out pairs")
        legend_below(figure, panels[0, 0], columns=table["samples"].nunique())
    return figure


def _draw(axes: Axes, own: pd.DataFrame, knob: str) -> None:
    for colour, samples in zip(PALETTE, sorted(own["samples"].unique()), strict=False):
        for start in STARTS:
            runs = own[(own["samples"] == samples) & (own["start"] == start)].groupby(knob)["accuracy"]
            means, errors = runs.mean(), runs.sem().fillna(0.0)
            axes.errorbar(
                means.index, means, yerr=2.0 * errors, color=colour, linewidth=1.4, capsize=2, marker="o",
                markersize=3.5, linestyle="-" if start == TRAINED else "--", label=f"n = {samples:g}, {start}",
            )  # fmt: skip
    values = sorted(own[knob].unique())
    axes.set_xscale("log")
    axes.set_xticks(values, [f"{value:g}" for value in values])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(0.0, 1.02)
    lighten(axes)
