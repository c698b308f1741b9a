"""The figure of scaled residual networks: accuracy against labels, a panel for each arm and kind of task."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from carryover.experiments.entries.a26.resnet_claims import LL24_ACCURACY, LL24_SAMPLES, SCRATCH
from carryover.experiments.entries.a26.resnet_spec import NEW, RANDOM, SUBSET
from carryover.reports.canvas import INK, PALETTE, drawing
from carryover.reports.light_axes import lighten

_INCHES = (12.6, 4.3)
_BASE = "c = 1, kappa = 1, gamma = 1"


def resnet_figure(table: pd.DataFrame) -> Figure:
    """Three panels from the entry's table: before pretraining, subset tasks and new ones; after it."""
    done = table[table["status"] == "ok"]
    before = done[done["arm"] == "before"].assign(
        line=lambda rows: [_setting(row) for _, row in rows.iterrows()]
    )
    after = done[done["arm"] == "after"].assign(
        line=lambda rows: [_factor(row) for _, row in rows.iterrows()]
    )
    with drawing():
        figure = Figure(figsize=_INCHES, layout="constrained")
        panels = figure.subplots(1, 3)
        for axes, task, said in zip(panels[:2], (SUBSET, NEW), ("a subset of the", "held-out"), strict=True):
            _draw(axes, before[before["task"] == task], f"scaled before: {said} classes")
        _draw(panels[2], after, "rescaled after: held-out classes")
        _draw_published(panels[2], list(dict.fromkeys(after["line"])))
        _share_heights(panels)
        panels[0].set_ylabel("accuracy")
    return figure


def _setting(row: pd.Series) -> str:
    for name, column in (("c", "absolute"), ("kappa", "relative"), ("gamma", "readout")):
        if row[column] != 1.0:
            return f"{name} = {row[column]:g}"
    return _BASE


def _factor(row: pd.Series) -> str:
    return _named(SCRATCH if row["start"] == RANDOM else row["rescaling"])


def _named(factor: float) -> str:
    return "random weights" if factor == SCRATCH else f"x{factor:g}"


def _draw(axes: Axes, rows: pd.DataFrame, title: str) -> None:
    """A line for each ``line``, in the order in which they come."""
    for place, name in enumerate(dict.fromkeys(rows["line"])):
        found = rows[rows["line"] == name].groupby("samples")["accuracy"].agg(["mean", "sem"]).reset_index()
        shift = 1.0 + 0.025 * place  # bars that would hide each other
        axes.errorbar(
            found["samples"] * shift, found["mean"], yerr=2.0 * found["sem"].fillna(0.0), fmt="-o", markersize=3.5,
            linewidth=1.3, capsize=2, color=PALETTE[place % len(PALETTE)], label=name,
        )  # fmt: skip
    axes.set_xscale("log")
    _dress(axes, sorted(int(n) for n in rows["samples"].unique()), title)


def _draw_published(axes: Axes, names: list[str]) -> None:
    """LL24's numbers in the colours of ours."""
    for factor, values in LL24_ACCURACY.items():
        if _named(factor) in names:
            colour = PALETTE[names.index(_named(factor)) % len(PALETTE)]
            axes.plot(LL24_SAMPLES, values, ":", marker="x", markersize=4, linewidth=1.0, color=colour)
    samples = {*LL24_SAMPLES, *(int(tick) for tick in axes.xaxis.get_majorticklocs())}
    _ticks(axes, sorted(samples))


def _dress(axes: Axes, samples: list[int], title: str) -> None:
    lighten(axes, grid="y")
    _ticks(axes, samples)
    axes.set_xlabel("labelled images")
    axes.set_title(title, fontsize=10, color=INK, loc="left")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7.5, frameon=False, loc="lower right")


def _ticks(axes: Axes, samples: list[int]) -> None:
    axes.xaxis.set_major_locator(FixedLocator(samples))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{n:,}" for n in samples]))
    axes.xaxis.set_minor_locator(NullLocator())


def _share_heights(panels: np.ndarray) -> None:
    lows, highs = zip(*(axes.get_ylim() for axes in panels), strict=True)
    for axes in panels:
        axes.set_ylim(min(lows), max(highs))
