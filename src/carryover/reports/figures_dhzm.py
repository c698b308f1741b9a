"""Figures of the DHZM24 experiments: accuracy against strength of regularisers, error against terms of the bound."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from carryover._core.results import Estimate
from carryover.experiments.entries.dhzm.claims import gain
from carryover.experiments.entries.dhzm.conditions import OBJECTIVES
from carryover.experiments.entries.dhzm.radreg_claims import ADAPTATIONS, NONE, WORDS
from carryover.experiments.entries.dhzm.terms_claims import PREDICTORS
from carryover.experiments.entries.random_start import beats_random_start
from carryover.experiments.entry import REPORTED
from carryover.reports.canvas import FAINT, INK, MUTED, PALETTE, drawing
from carryover.reports.light_axes import legend_below, lighten

_PANEL = (3.3, 2.9)  # inches
_COLOURS = dict(zip(WORDS, (MUTED, *PALETTE), strict=False))
_NARROW = 34  # characters of an axis label
_APART = 1.12  # so that intervals of one strength do not hide each other


def radreg_figure(table: pd.DataFrame) -> Figure:
    """A panel for each target and way of adapting, a line for each regulariser against its strength."""
    table = table[(table["role"] == REPORTED) & (table["status"] == "ok")]
    targets = list(dict.fromkeys(table["target"]))
    with drawing():
        figure, panels = _panels(len(ADAPTATIONS), max(len(targets), 1))
        for row, (way, words) in zip(panels, ADAPTATIONS.items(), strict=True):
            for axes, target in zip(row, targets, strict=False):
                own = table[table["target"] == target]
                for kind in dict.fromkeys(own["regularizer"]):
                    _draw_strengths(axes, own[own["regularizer"] == kind], kind, way)
                axes.axhline(0.0, color=FAINT, linewidth=1.0, zorder=0)
                axes.set_title(f"{target}, {words}", fontsize=9, color=INK, loc="left")
                axes.set_xscale("log")
                axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
                axes.xaxis.set_minor_formatter(NullFormatter())
                axes.set_xlabel("strength")
            row[0].set_ylabel("accuracy less random start")
        legend_below(figure, panels[0, 0], columns=5)
    return figure


def _draw_strengths(axes: Axes, rows: pd.DataFrame, kind: str, way: str) -> None:
    measure, colour = f"{way}_accuracy", _COLOURS[kind]
    if kind == NONE:
        low, middle, high = _ends(gain(rows, measure))
        axes.axhline(middle, color=colour, linewidth=1.4, linestyle="--", label=WORDS[kind])
        axes.axhspan(low, high, color=colour, alpha=0.12, linewidth=0)
        return
    strengths = np.array(sorted(set(rows["strength"])))
    ends = np.array([_ends(gain(rows[rows["strength"] == strength], measure)) for strength in strengths])
    chosen = set(rows["strength"][rows[f"chosen_for_{way}"]])
    sizes = [70 if strength in chosen else 16 for strength in strengths]
    strengths = strengths * _APART ** list(WORDS).index(kind)
    axes.plot(strengths, ends[:, 1], color=colour, linewidth=1.3, label=WORDS[kind])
    axes.scatter(strengths, ends[:, 1], s=sizes, color=colour, zorder=3)
    axes.vlines(strengths, ends[:, 0], ends[:, 2], color=colour, linewidth=1.0)


def terms_figure(table: pd.DataFrame) -> Figure:
    """The probe's error against each term, a dot for each kind of encoder, coloured by objective."""
    good = table[table["status"] == "ok"]
    means = good.groupby("condition", sort=False)[[*PREDICTORS, "error"]].mean()
    objective = good.groupby("condition", sort=False)["objective"].first()
    strong = {
        name: beats_random_start(gain(rows, "probe_accuracy"))
        for name, rows in good.groupby("condition", sort=False)
    }
    with drawing():
        figure, panels = _panels(2, (len(PREDICTORS) + 1) // 2)
        for axes, (name, words) in zip(panels.flat, PREDICTORS.items(), strict=False):
            for kind, colour in zip(OBJECTIVES, PALETTE, strict=False):
                own = means[objective == kind]
                faces = [colour if strong[condition] else "none" for condition in own.index]
                axes.scatter(
                    own[name], own["error"], s=26, facecolors=faces, edgecolors=colour, linewidths=1.3
                )
                axes.plot([], [], "o", color=colour, label=kind.replace("_", " "))
            _scale(axes, means[name].to_numpy(float))
            axes.set_xlabel(_wrapped(words))
        for row in panels:
            row[0].set_ylabel("probe's test error")
        legend_below(figure, panels[0, 0], columns=5)
    return figure


def _scale(axes: Axes, values: np.ndarray) -> None:
    """Logarithmic where positive values span more than a hundred."""
    known = values[np.isfinite(values)]
    if len(known) and known.min() > 0.0 and known.max() > 100.0 * known.min():
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _ends(found: Estimate) -> tuple[float, float, float]:
    """Low, middle, high; NaN where there is no estimate."""
    if not found.ok:
        return (np.nan,) * 3
    return found.interval[0], found.value, found.interval[1]


def _wrapped(words: str) -> str:
    if len(words) <= _NARROW:
        return words
    at = words.rfind(" ", 0, _NARROW)
    return f"{words[:at]}\n{words[at + 1 :]}"


def _panels(rows: int, columns: int) -> tuple[Figure, np.ndarray]:
    width, height = _PANEL
    figure = Figure(figsize=(width * columns, height * rows + 0.3), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey="row")
    for axes in panels.flat:
        lighten(axes)
    return figure, panels
