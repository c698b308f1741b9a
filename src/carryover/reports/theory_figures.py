"""Figures of the theory as PNG, SVG or PDF files: error curves, the regime map, the map of winners."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from carryover._core.errors import InputError
from carryover.reports.canvas import FAINT, INK, MUTED, PALETTE, drawing
from carryover.reports.light_axes import legend_below, lighten
from carryover.reports.numbers import times_power
from carryover.reports.record import naming_full_disk

FORMATS = (".png", ".svg", ".pdf")
_PANEL = (4.1, 3.5)  # inches


def save_figure(figure: Figure, path: Path, *, overwrite: bool = False) -> Path:
    """Write the figure in the format its name ends with; InputError where a file is there or the format is unknown."""
    path = Path(path)
    check_figure_path(path, overwrite=overwrite)
    with naming_full_disk(path.parent), matplotlib.rc_context({"svg.hashsalt": "carryover"}):
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=160, bbox_inches="tight")
    return path


def check_figure_path(path: Path, *, overwrite: bool = False) -> None:
    """What :func:`save_figure` refuses, before the work starts."""
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"a figure's name must end in one of {', '.join(FORMATS)}, got {path.name!r}")
    if path.exists() and not overwrite:
        raise InputError(f"already there: {path}. Choose another name, or replace it with --overwrite")


def curve_figure(curves: pd.DataFrame, points: pd.DataFrame | None = None) -> Figure:
    """A panel for each task: predicted error against alpha, a line for each network, simulated points with two
    standard errors.  Tables as :mod:`carryover.experiments.diagonal_networks` makes them.
    """
    tasks = list(dict.fromkeys(curves["task"]))
    networks = list(dict.fromkeys(curves["network"]))
    with drawing():
        figure = _figure(len(tasks), legend_rows=1 + (len(networks) - 1) // 3)
        panels = _panels(figure, len(tasks))
        for axes, task in zip(panels, tasks, strict=True):
            for colour, network in zip(_colours(len(networks)), networks, strict=True):
                own = curves[(curves["task"] == task) & (curves["network"] == network)]
                axes.plot(
                    own["alpha"], own["generalization_error"], color=colour, linewidth=1.6, label=network
                )
                if points is not None:
                    same = (points["task"] == task) & (points["network"] == network)
                    _draw_points(axes, points[same], colour)
            _in_powers(axes.yaxis)
            axes.set_title(task, fontsize=10, color=INK, loc="left")
            axes.set_xlabel("samples per dimension, alpha")
        panels[0].set_ylabel("generalization error per coordinate")
        legend_below(figure, panels[0])
    return figure


def _draw_points(axes: Axes, own: pd.DataFrame, colour: Any) -> None:
    if not len(own):
        return
    mean, reach = own["mean"].to_numpy(), 2.0 * own["std_error"].to_numpy()
    low = np.minimum(reach, mean * (1.0 - 1e-2))  # a log axis has no place for what reaches below 0
    axes.errorbar(
        own["alpha"], mean, yerr=[low, reach], fmt="o", markersize=3.5, color=colour, linewidth=1.0, capsize=2
    )


def regime_figure(table: pd.DataFrame) -> Figure:
    """Order against pretraining dependence, a panel for each scale that moves, with the four regimes' borders."""
    knobs = list(dict.fromkeys(table["knob"]))
    with drawing():
        figure = _figure(len(knobs), legend_rows=0)
        panels = _panels(figure, len(knobs))
        for axes, knob in zip(panels, knobs, strict=True):
            _draw_knob(axes, table[table["knob"] == knob], knob)
            _draw_regimes(axes)
            axes.set_title(f"{knob} moves", fontsize=10, color=INK, loc="left")
            axes.set_xlabel("pretraining dependence, PD")
            axes.legend(fontsize=7, frameon=False, loc="center left", bbox_to_anchor=(0.0, 0.3))
        panels[0].set_ylabel("order l (1 rich, 2 lazy)")
    return figure


def _draw_knob(axes: Axes, own: pd.DataFrame, knob: str) -> None:
    """A line for each value of the scale that is held while ``knob`` moves."""
    moving = {"scale": "scale", "relative scale": "relative_scale", "readout": "readout"}[knob]
    fixed = "scale" if knob == "relative scale" else "relative_scale"
    values = list(dict.fromkeys(own[fixed]))
    for colour, value in zip(_colours(len(values)), values, strict=True):
        line = own[own[fixed] == value].sort_values(moving)
        axes.plot(
            line["pretraining_dependence"], line["order"], "-o", markersize=2.5, linewidth=1.1, color=colour,
            label=f"{fixed.replace('_', ' ')} {value:g}",
        )  # fmt: skip


def _draw_regimes(axes: Axes) -> None:
    from carryover.theory.regimes import DEPENDENT_FROM, RICH_BELOW

    axes.axhline(RICH_BELOW, color=FAINT, linewidth=1.0, zorder=0)
    axes.axvline(-DEPENDENT_FROM, color=FAINT, linewidth=1.0, zorder=0)
    axes.set(xlim=(-1.03, 0.16), ylim=(0.97, 2.03))
    for x, y, said in ((-0.97, 1.97, "II"), (0.14, 1.97, "III"), (-0.97, 1.02, "IV"), (0.14, 1.02, "I")):
        side = "left" if x < -0.5 else "right"
        axes.text(x, y, said, color=MUTED, fontsize=13, ha=side, va="center")


def winner_figure(table: pd.DataFrame, networks: Sequence[str]) -> Figure:
    """For each alpha which initialisation has the smallest predicted error; pale where it wins by less than a tenth."""
    alphas = list(dict.fromkeys(table["alpha"]))
    colours = ListedColormap(_colours(len(networks)))
    with drawing():
        figure = _figure(len(alphas), legend_rows=1)
        panels = _panels(figure, len(alphas))
        for axes, alpha in zip(panels, alphas, strict=True):
            own = table[table["alpha"] == alpha]
            shared, new = np.unique(own["rho_shared"]), np.unique(own["rho_new"])
            index = own["winner"].map({name: place for place, name in enumerate(networks)}).to_numpy()
            shape = (len(shared), len(new))
            fade = np.where(own["margin"].to_numpy() >= np.log10(1.1), 1.0, 0.45).reshape(shape)
            axes.pcolormesh(
                shared, new, index.reshape(shape).T, cmap=colours, vmin=-0.5, vmax=len(networks) - 0.5,
                alpha=fade.T, shading="nearest", rasterized=True,
            )  # fmt: skip
            axes.set(xscale="log", yscale="log", xlabel="rho shared with pretraining")
            axes.grid(False)
            axes.set_title(f"alpha = {alpha:g}", fontsize=10, color=INK, loc="left")
        panels[0].set_ylabel("rho new")
        for place, name in enumerate(networks):
            panels[0].plot([], [], "s", color=colours(place), label=name)
        legend_below(figure, panels[0])
    return figure


def _in_powers(axis: Axis) -> None:
    """A logarithmic axis whose labels are plain text: a page's figures are drawn without matplotlib's mathematics."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    axis.set_major_formatter(FuncFormatter(lambda value, _: _power(value)))
    axis.set_minor_formatter(NullFormatter())


def _power(value: float) -> str:
    """10 to a whole power as text; nothing for other values."""
    exponent = np.log10(value) if value > 0.0 else np.nan
    return (
        times_power(round(exponent)).removeprefix(" × ") or "1"
        if np.isclose(exponent, np.round(exponent))
        else ""
    )


def _figure(n_panels: int, *, legend_rows: int) -> Figure:
    width, height = _PANEL
    return Figure(figsize=(width * n_panels, height + 0.3 * legend_rows), layout="constrained")


def _panels(figure: Figure, count: int) -> list[Axes]:
    panels = list(np.ravel(figure.subplots(1, count, sharey=True, squeeze=False)))
    for axes in panels:
        lighten(axes)
    return panels


def _colours(count: int) -> list[Any]:
    """The palette, or for more lines than it has, a sequence from dark to light."""
    if count <= len(PALETTE):
        return list(PALETTE[:count])
    return [matplotlib.colormaps["viridis"](value) for value in np.linspace(0.0, 0.92, count)]
