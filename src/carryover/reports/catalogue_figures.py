"""The figure of each entry of the catalogue, from its table."""

from collections.abc import Callable, Mapping

import pandas as pd
from matplotlib.figure import Figure

from carryover.experiments.entries.a26_curves import PREDICTED, SIMULATED
from carryover.experiments.entries.a26_regimes import NAMED
from carryover.reports.figures_dhzm_dense import dense_figure
from carryover.reports.figures_dhzm_multitask import multitask_figure
from carryover.reports.theory_figures import CurveAxes, curve_figure, regime_figure


def _regimes(table: pd.DataFrame) -> Figure:
    return regime_figure(table[(table["knob"] != NAMED) & (table["status"] == "ok")])


def _curves(table: pd.DataFrame) -> Figure:
    predicted = table[table["kind"] == PREDICTED]
    simulated = table[(table["kind"] == SIMULATED) & (table["status"] == "ok")]
    return curve_figure(predicted, simulated.rename(columns={"generalization_error": "mean"}))


def _linear_transfer(table: pd.DataFrame) -> Figure:
    """The mean error outside the data against time, a panel for each number of samples."""
    means = table.groupby(["samples", "plan", "time"], as_index=False)["error_outside"].mean()
    means = means[means["time"] > 0].assign(
        task=means["samples"].map("n = {}".format),
        network=means["plan"],
    )
    axes = CurveAxes(
        "time",
        "time of the gradient flow",
        "error_outside",
        "error outside the data",
        log_x=True,
        log_y=False,
    )
    return curve_figure(means, axes=axes)


FIGURES: Mapping[str, Callable[[pd.DataFrame], Figure]] = {
    "a26_figure2": _regimes,
    "a26_figure3": _curves,
    "a26_figure5": _curves,
    "dhzm_dense": dense_figure,
    "dhzm_multitask": multitask_figure,
    "lpft": _linear_transfer,
}
CAPTIONS: Mapping[str, str] = {
    "a26_figure2": "Order against pretraining dependence as one scale moves; lines with dots hold the others.",
    "a26_figure3": "Lines: exact predictions. Dots: means of simulated tasks with two standard errors.",
    "a26_figure5": "Lines: exact predictions. Dots: means of simulated tasks with two standard errors.",
    "dhzm_dense": "Error against each term. A dot is an encoder, mean over seeds, larger after more steps.",
    "dhzm_multitask": "Left: means and 95 % intervals over seeds. Right: encoders, means over seeds; line: equal sums.",
    "lpft": "Squared error of the linear function where there is no data, mean over runs (|w| = 1).",
}
