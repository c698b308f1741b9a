"""The figure of dhzm_multitask: errors of each way to learn a task, and joint errors beside sums of single ones."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from carryover.experiments.entries.dhzm.multitask_claims import NOTHING, per_encoder
from carryover.experiments.summaries import mean_over_runs
from carryover.reports.canvas import FAINT, INK, PALETTE, drawing
from carryover.reports.light_axes import lighten

_WAYS = {
    "random_error": "probe of the random start",
    "probe_error": "probe",
    "single_error": "fine-tuned alone",
    "multi_error": "fine-tuned together",
}


def multitask_figure(table: pd.DataFrame) -> Figure:
    """Left: errors by task, mean over encoders, intervals over seeds.  Right: each encoder's sums, mean over seeds."""
    found = table[table["status"] == "ok"]
    with drawing():
        figure = Figure(figsize=(10.0, 4.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        _by_task(left, found[found["objective"] != NOTHING])
        _sums(right, per_encoder(found))
        for axes in (left, right):
            lighten(axes)
            axes.legend(fontsize=7.5, frameon=False, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.14))
    return figure


def _by_task(axes: Axes, own: pd.DataFrame) -> None:
    tasks = list(dict.fromkeys(own["task"]))
    for number, (way, said) in enumerate(_WAYS.items()):
        seeds = own.groupby(["task", "seed"], sort=False)[way].mean()
        found = [mean_over_runs(seeds[task].to_numpy()) for task in tasks]
        middle = np.array([np.nan if one.value is None else one.value for one in found])
        ends = np.array([(np.nan, np.nan) if one.interval is None else one.interval for one in found]).T
        at = np.arange(len(tasks)) + 0.16 * (number - (len(_WAYS) - 1) / 2)
        axes.errorbar(
            at, middle, yerr=np.abs(ends - middle), fmt="o", markersize=4, capsize=2, color=PALETTE[number], label=said
        )  # fmt: skip
    axes.set_xticks(range(len(tasks)), tasks)
    axes.set_ylim(bottom=0.0)
    axes.set_ylabel("share of wrong classes")
    axes.set_title("four tasks of one image", fontsize=10, color=INK, loc="left")


def _sums(axes: Axes, encoders: pd.DataFrame) -> None:
    means = encoders.groupby(["objective", "source", "steps"], sort=False)[
        ["single_error", "multi_error"]
    ].mean()
    names = list(dict.fromkeys(zip(*(means.index.get_level_values(at) for at in range(2)), strict=True)))
    for place, (objective, source) in enumerate(names):
        mine = means.loc[(objective, source)]
        said = "random start" if objective == NOTHING else f"{objective.replace('_', ' ')} on {source}"
        axes.plot(
            mine["single_error"], mine["multi_error"], "o-", markersize=4.5, linewidth=0.8,
            color=PALETTE[place % len(PALETTE)], label=said,
        )  # fmt: skip
    if len(means):
        ends = [float(means.to_numpy().min()), float(means.to_numpy().max())]
        axes.plot(ends, ends, color=FAINT, linewidth=1.0, zorder=0)
    axes.set_xlabel("sum of errors, each task fine-tuned alone")
    axes.set_ylabel("sum of errors, fine-tuned together")
    axes.set_title("does the sum predict the joint error?", fontsize=10, color=INK, loc="left")
