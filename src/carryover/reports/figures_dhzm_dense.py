"""The figure of dhzm_dense: error against each term of the bound, a column for each task."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from carryover.experiments.entries.dhzm.dense_claims import TERMS
from carryover.reports.canvas import INK, PALETTE, drawing
from carryover.reports.light_axes import legend_below, lighten

_TITLES = {
    "segmentation": "class of every patch: error",
    "offset": "offset of a patch's digit: 1 - R2",
    "whole": "digit of the whole image: error",
}
_MARKERS = ("o", "s", "^", "D", "v", "P")
_SHORT = {**TERMS, "total_variation": "total variation, pretraining against pool"}


def dense_figure(table: pd.DataFrame) -> Figure:
    """A dot is an encoder, mean over seeds; its colour the objective and source, its size the steps of pretraining."""
    encoder = ["objective", "source", "steps", "task"]
    own = table[table["status"] == "ok"].groupby(encoder, sort=False, as_index=False).mean(numeric_only=True)
    families = list(dict.fromkeys(zip(own["objective"], own["source"], strict=True)))
    with drawing():
        figure = Figure(figsize=(10.5, 9.6), layout="constrained")
        panels = figure.subplots(len(TERMS), len(_TITLES), squeeze=False)
        for row, term in zip(panels, TERMS, strict=True):
            for axes, (task, title) in zip(row, _TITLES.items(), strict=True):
                _dots(axes, own[own["task"] == task], term, families=families)
                axes.set_xlabel(_SHORT[term])
                axes.locator_params(axis="x", nbins=4)
                axes.locator_params(axis="y", nbins=6)
                lighten(axes)
                axes.set_title(title, fontsize=9, color=INK, loc="left")
        legend_below(figure, panels[0, 0], columns=3)
    return figure


def _dots(axes: Axes, own: pd.DataFrame, term: str, *, families: Sequence[tuple[str, str]]) -> None:
    steps = sorted(own["steps"].unique())
    for place, (objective, source) in enumerate(families):
        mine = own[(own["objective"] == objective) & (own["source"] == source)].sort_values("steps")
        colour, marker = PALETTE[place % len(PALETTE)], _MARKERS[place % len(_MARKERS)]
        axes.plot(mine[term], mine["error"], color=colour, linewidth=0.8, alpha=0.6)
        sizes = [18.0 + 26.0 * steps.index(number) for number in mine["steps"]]
        name = f"{objective.replace('_', ' ')} on {source}"
        axes.scatter(mine[term], mine["error"], s=sizes, color=colour, marker=marker, label=name, zorder=3)
