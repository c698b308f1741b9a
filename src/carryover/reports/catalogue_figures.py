"""The figure of each entry of the catalogue, from its table."""

from collections.abc import Callable, Mapping

import pandas as pd
from matplotlib.figure import Figure

from carryover.experiments.entries.a26.curves import PREDICTED, SIMULATED
from carryover.experiments.entries.a26.regimes import NAMED
from carryover.reports.figures_a26_modular import modular_figure
from carryover.reports.figures_a26_resnet import CAPTION as SCALED_NETWORKS
from carryover.reports.figures_a26_resnet import scaled_networks_figure
from carryover.reports.figures_curl_pairs import pairs_figure
from carryover.reports.figures_dhzm import radreg_figure, terms_figure
from carryover.reports.figures_dhzm_dense import dense_figure
from carryover.reports.figures_dhzm_multitask import multitask_figure
from carryover.reports.figures_lpft import lpft_figure
from carryover.reports.figures_ranking import ranking_figure
from carryover.reports.theory_figures import curve_figure, regime_figure


def _regimes(table: pd.DataFrame) -> Figure:
    return regime_figure(table[(table["knob"] != NAMED) & (table["status"] == "ok")])


def _curves(table: pd.DataFrame) -> Figure:
    predicted = table[table["kind"] == PREDICTED]
    simulated = table[(table["kind"] == SIMULATED) & (table["status"] == "ok")]
    return curve_figure(predicted, simulated.rename(columns={"generalization_error": "mean"}))


FIGURES: Mapping[str, Callable[[pd.DataFrame], Figure]] = {
    "a26_figure2": _regimes,
    "a26_figure3": _curves,
    "a26_figure5": _curves,
    "ranking_small_n": ranking_figure,
    "curl_pairs": pairs_figure,
    "lpft": lpft_figure,
    "dhzm_radreg": radreg_figure,
    "dhzm_terms": terms_figure,
    "a26_resnet": scaled_networks_figure,
    "a26_modular": modular_figure,
    "dhzm_dense": dense_figure,
    "dhzm_multitask": multitask_figure,
}
CAPTIONS: Mapping[str, str] = {
    "a26_figure2": "Order against pretraining dependence as one scale moves; lines with dots hold the others.",
    "a26_figure3": "Lines: exact predictions. Dots: means of simulated tasks with two standard errors.",
    "a26_figure5": "Lines: exact predictions. Dots: means of simulated tasks with two standard errors.",
    "ranking_small_n": "How well scores rank a hub, and what their picks lose. Bars: 95 % over targets.",
    "curl_pairs": "Means over seeds with 95 % intervals. At as many tuples larger k and b see more images.",
    "lpft": "Above: squared error of the linear function where there is no data, mean over runs (|w| = 1). "
    "Below: means over splits of the photos with 95 % intervals.",
    "dhzm_radreg": "Test accuracy less that from random weights: means over seeds with 95 % intervals; large: chosen.",
    "dhzm_terms": "Means over seeds, a dot for each kind of encoder; rings: not above its own random start.",
    "a26_resnet": SCALED_NETWORKS,
    "a26_modular": (
        "Fine-tuned on n pairs from pretrained weights (lines) and from those before pretraining (dashed); one scale "
        "moves at a time. Means over seeds with two standard errors."
    ),
    "dhzm_dense": "Error against each term. A dot is an encoder, mean over seeds, larger after more steps.",
    "dhzm_multitask": "Left: means and 95 % intervals over seeds. Right: encoders, means over seeds; line: equal sums.",
}
