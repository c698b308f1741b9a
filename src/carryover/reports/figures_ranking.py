"""How well each score chooses against how many labels it sees."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from carryover.experiments.entries.ranking.claims import CALLED
from carryover.experiments.entries.ranking.specs import CHANCE, EVERY, WIDTH
from carryover.experiments.summaries import mean_over_runs
from carryover.reports.canvas import FAINT, INK, PALETTE, drawing
from carryover.reports.light_axes import legend_below, lighten

_BLUE, _ORANGE, _GREEN, _PINK, _SKY, _RED = PALETTE
_LINES: Mapping[str, tuple[str, str]] = {
    "ridge_loo": (INK, "-"),
    "logme": (_BLUE, "-"),
    "h_score": (_ORANGE, "-"),
    "transrate": (_GREEN, "-"),
    "nleep": (_PINK, "-"),
    "pactran": (_SKY, "-"),
    "knn": (_RED, "-"),
    "thuml.logme": (_BLUE, "--"),
    "tllib.h_score": (_ORANGE, "--"),
    "tllib.transrate": (_GREEN, "--"),
    "transformer_ranker.h_score": (_ORANGE, ":"),
    WIDTH: (FAINT, "-"),
    CHANCE: (FAINT, ":"),
}
_NAMES = {
    **CALLED,
    "transrate": "TransRate",
    "nleep": "NLEEP",
    "pactran": "PACTran",
    "knn": "nearest neighbours",
    "transformer_ranker.h_score": "H-score as released (transformer-ranker)",
    WIDTH: "the number of features",
}
_WITH_BARS = {"ridge_loo": 0.94, "logme": 1.0, "thuml.logme": 1.06}  # moved apart by these factors
_PANELS = (
    ("tau", "Kendall's tau, mean over targets"),
    ("regret", "accuracy that the pick loses, mean over targets"),
)


def ranking_figure(table: pd.DataFrame) -> Figure:
    """Kendall's tau and what the pick loses, a line for each score; bars: 95 % intervals over targets, for three."""
    own = table[(table["hub"] == EVERY) & (table["status"] == "ok")]
    with drawing():
        figure = Figure(figsize=(10.0, 5.2), layout="constrained")
        panels = list(figure.subplots(1, len(_PANELS)))
        for axes, (metric, label) in zip(panels, _PANELS, strict=True):
            _style(axes, label)
            for score in (score for score in _LINES if (own["name"] == score).any()):
                _draw(axes, own[own["name"] == score], score, metric=metric)
            axes.set_xscale("log")
            sizes = sorted({int(n) for n in own["labels"].dropna()})
            axes.set_xticks(sizes, [str(n) for n in sizes])
            axes.xaxis.set_minor_locator(NullLocator())
        legend_below(figure, panels[0], columns=3)
    return figure


def _draw(axes: Axes, own: pd.DataFrame, score: str, *, metric: str) -> None:
    colour, dashes = _LINES[score]
    sizes = sorted({int(n) for n in own["labels"]})
    values = [own.loc[own["labels"] == n, metric].to_numpy() for n in sizes]
    means = [float(np.mean(one)) for one in values]
    axes.plot(sizes, means, dashes, color=colour, linewidth=1.6, label=_NAMES[score])
    if score in _WITH_BARS and all(len(one) > 1 for one in values):
        ends = [mean_over_runs(one).interval for one in values]
        reach = [high - mean for (_, high), mean in zip(ends, means, strict=True)]
        axes.errorbar(sizes, means, yerr=reach, fmt="o", markersize=3, color=colour, capsize=2, linewidth=0.9)


def _style(axes: Axes, label: str) -> None:
    lighten(axes)
    axes.set_xlabel("labels")
    axes.set_title(label, fontsize=10, color=INK, loc="left")
