"""Figure: what was forecast against what was reached, for the tangent probe, the plain probe and LogME."""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from scipy.stats import spearmanr

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#888888"


def forecast_figure(rows: list[dict[str, Any]], path: Path) -> None:
    """Three panels, a point a triple; open points are those where the forecast abstains."""
    figure, panels = plt.subplots(1, 3, figsize=(12.5, 4.4), constrained_layout=True)
    _accuracy_panel(panels[0], rows, "lp_ft", "tangent", "tangent probe, for LP-FT", BLUE)
    _accuracy_panel(panels[1], rows, "lp_ft", "probe", "plain probe, for LP-FT", ORANGE)
    scores, reached = [row["logme"] for row in rows], [100 * row["lp_ft"] for row in rows]
    panels[2].plot(scores, reached, "o", color=GREY, markersize=5)
    ranks = spearmanr(scores, reached).statistic
    panels[2].set(xlabel="LogME (no accuracy)", title=f"LogME, for LP-FT\nSpearman {ranks:.2f}")
    panels[0].set_ylabel("test accuracy reached, %")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    print(f"\nfigure: {path}")


def _accuracy_panel(
    axes: Any, rows: list[dict[str, Any]], plan: str, source: str, words: str, colour: str
) -> None:
    axes.plot([0, 100], [0, 100], "-", color=GREY, linewidth=0.8)
    for row in rows:
        low, high = (100 * end for end in row[f"{source}_interval"])
        hollow = source == "tangent" and row[f"abstained_{plan}"]
        axes.plot([low, high], [100 * row[plan]] * 2, "-", color=colour, alpha=0.35, linewidth=1)
        axes.plot(
            100 * row[source], 100 * row[plan], "o", color=colour, markersize=5,
            markerfacecolor="white" if hollow else colour,
        )  # fmt: skip
    errors = np.array([row[source] - row[plan] for row in rows])
    ranks = spearmanr([row[source] for row in rows], [row[plan] for row in rows]).statistic
    axes.set(
        xlim=(0, 100), ylim=(0, 100), xlabel="forecast accuracy and 95 % interval, %",
        title=f"{words}\n|error| {100 * np.abs(errors).mean():.1f} points, Spearman {ranks:.2f}",
    )  # fmt: skip
