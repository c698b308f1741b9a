"""The figure of ``lpft``: the linear example's error against time, and accuracies of the real shift."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from carryover.experiments.entries.lpft.shift import FT, INSIDE, LP, LP_FT, OUTSIDE, RANDOM_LP
from carryover.experiments.entry import REPORTED
from carryover.reports.canvas import FAINT, PALETTE, drawing
from carryover.reports.legend import tick_plain
from carryover.reports.seed_panels import dress, interval_points

_SIZE, _APART = (12.4, 7.0), 0.16
_COLOURS = {FT: PALETTE[0], LP_FT: PALETTE[1], LP: PALETTE[2], RANDOM_LP: FAINT}
_MEAN = "mean of the other three"


def lpft_figure(table: pd.DataFrame) -> Figure:
    """Above: mean error where there is no data, a panel for each n.  Below: means over splits with 95 % intervals."""
    linear = table[table["time"].notna()]
    counts = [int(n) for n in dict.fromkeys(linear["samples"])]
    with drawing():
        figure = Figure(figsize=_SIZE, layout="constrained")
        grid = figure.add_gridspec(2, max(1, len(counts)))
        first = None
        for place, n in enumerate(counts):
            axes = first = figure.add_subplot(grid[0, place], sharey=first)
            _linear(axes, linear[linear["samples"] == n])
            dress(axes, f"linear example, n = {n}", legend=not place)
            if not place:
                axes.set_ylabel("error outside the data")
        below = figure.add_subplot(grid[1, :])
        _shift(below, table)
        dress(below, "a network pretrained on CIFAR-10, adapted to labelled photos")
        below.set_ylabel("accuracy, %")
    return figure


def _linear(axes: Axes, own: pd.DataFrame) -> None:
    means = own[own["time"] > 0].groupby(["plan", "time"])["error_outside"].mean()
    for plan in (FT, LP_FT):
        if plan in means.index.get_level_values("plan"):
            axes.plot(
                means[plan].index, means[plan].to_numpy(), color=_COLOURS[plan], linewidth=1.6, label=plan
            )
    axes.set(xscale="log", xlabel="time of the gradient flow")
    axes.xaxis.set_major_formatter(FuncFormatter(tick_plain))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _shift(axes: Axes, table: pd.DataFrame) -> None:
    own = table[(table["role"] == REPORTED) & (table["status"] == "ok")].copy()
    own["accuracy"] = 100.0 * own["accuracy"].astype(float)
    outside = own[own["domain"] != INSIDE].groupby(["plan", "seed"], as_index=False)["accuracy"].mean()
    own = pd.concat([own[["plan", "seed", "domain", "accuracy"]], outside.assign(domain=_MEAN)])
    places = {domain: place for place, domain in enumerate((INSIDE, *OUTSIDE, _MEAN))}
    for shift, (plan, colour) in enumerate(_COLOURS.items()):
        part = own[own["plan"] == plan]
        part = part.assign(place=part["domain"].map(places) + _APART * (shift - 1.5))
        interval_points(axes, part, x="place", colour=colour, label=plan)
    axes.set_xticks(list(places.values()), [name.replace("_", " ") for name in places])
