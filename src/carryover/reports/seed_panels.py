"""Panels of means over seeds with their intervals."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from carryover.experiments.summaries import mean_over_runs
from carryover.reports.canvas import INK
from carryover.reports.light_axes import lighten


def interval_points(
    axes: Axes, runs: pd.DataFrame, *, x: str, colour: Any, label: str, line: bool = False, marker: str = "o"
) -> None:
    """A point at each value of ``x``: the mean of ``accuracy`` with Student's 95 % interval over the rows there.

    A value with a single run, or with one that failed, has a point without an interval, or none.
    """
    means = runs.groupby(x)["accuracy"].agg(lambda one: one.mean(skipna=False)).dropna()
    found = {at: mean_over_runs(runs.loc[runs[x] == at, "accuracy"].to_numpy()) for at in means.index}
    reach = [one.value - one.interval[0] if one.ok else 0.0 for one in found.values()]
    axes.errorbar(
        means.index, means.to_numpy(), yerr=reach, fmt=f"-{marker}" if line else marker, color=colour, label=label,
        markersize=4.5, linewidth=1.3, capsize=2.5,
    )  # fmt: skip


def dress(axes: Axes, title: str, *, legend: bool = True) -> None:
    """Title, light grid, no frame, a legend where there is something to name."""
    axes.set_title(title, fontsize=10, color=INK, loc="left")
    lighten(axes, grid="y")
    if legend and axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8, frameon=False)
