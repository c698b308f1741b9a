"""Figure: downstream error of every run against five predictors of it, one colour an objective."""

from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd

matplotlib.use("Agg")

from bounds_ranks import PREDICTORS, rank_correlation, settings
from matplotlib import pyplot as plt

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")
PANELS = (
    ("C E_U^beta", "$C E_U^{\\beta}$, loosely measured by objective"),
    ("complexity, own norm", r"$2\sqrt{2}\,G\,$Rad with the head's own norm"),
    ("total variation", "2 TV, lower limit"),
    ("sum of the five terms", "sum of the five terms"),
    ("`ridge_loo`", "leave-one-out accuracy of a ridge probe"),
)


def terms_figure(table: pd.DataFrame, path: Path) -> None:
    """A panel a predictor; filled points have no regulariser."""
    figure, panels = plt.subplots(2, 3, figsize=(12.5, 7.6), constrained_layout=True)
    for axes, (name, words) in zip(panels.flat, PANELS, strict=False):
        _panel(axes, table, name, words)
    for row in panels:
        row[0].set_ylabel("error of a probe on 1,000 labels, %")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    panels[1, 2].axis("off")
    panels[1, 2].legend(handles, labels, loc="center", frameon=False, title="filled: no regulariser")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _panel(axes: Any, table: pd.DataFrame, name: str, words: str) -> None:
    column, sign = PREDICTORS[name]
    for colour, (objective, part) in zip(COLOURS, table.groupby("objective", sort=True), strict=False):
        across = part[column]
        plain = (part["regularizer"] == "none").to_numpy()
        for rows, face in ((plain, colour), (~plain, "white")):
            axes.plot(across[rows], 100 * part["error_few"][rows], "o", color=colour, markersize=5,
                      markerfacecolor=face, label=objective if face == colour else None)  # fmt: skip
    if column in ("term_rademacher", "term_sum"):
        axes.set_xscale("log")
    every, within = (
        rank_correlation(part, column, sign, within=inside)
        for part, inside in (settings(table)[one] for one in ("a", "b"))
    )
    said = [f"{one[0]:.2f}" if one else "-" for one in (every, within)]
    axes.set(xlabel=words, title=f"Spearman: all runs {said[0]}, within objectives {said[1]}")
    axes.title.set_fontsize(10)
