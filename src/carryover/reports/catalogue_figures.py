"""The figure of each entry of the catalogue, from its table."""

from collections.abc import Callable, Mapping

import pandas as pd
from matplotlib.figure import Figure

from carryover.experiments.entries.a26.curves import PREDICTED, SIMULATED
from carryover.experiments.entries.a26.regimes import NAMED
from carryover.reports.figures_a26_modular import modular_figure
from carryover.reports.figures_a26_resnet import resnet_figure
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
    "a26_resnet": resnet_figure,
    "a26_modular": modular_figure,
    "dhzm_dense": dense_figure,
    "dhzm_multitask": multitask_figure,
}
CAPTIONS: Mapping[str, str] = {
    "a26_figure2": (
        "Order against pretraining dependence as one of the three scales moves. A dot is a network; a line joins "
        "networks that share the scale named beside it."
    ),
    "a26_figure3": "Lines: exact predictions. Dots: means of simulated tasks with two standard errors.",
    "a26_figure5": "Lines: exact predictions. Dots: means of simulated tasks with two standard errors.",
    "ranking_small_n": (
        "Left: how well each score ranks the candidates. Right: the accuracy that its pick loses against the best "
        "candidate. Means over targets; bars, for three scores: 95 % intervals."
    ),
    "curl_pairs": (
        "Means over seeds with 95 % intervals. With as many tuples a step, larger k and b see more images; with as "
        "many images, they have fewer tuples."
    ),
    "lpft": (
        "Above: squared error of the linear model in directions without data, mean over seeds; the true weights "
        "have length 1. Below: means over seeds, each with its own split of the photos, and 95 % intervals."
    ),
    "dhzm_radreg": (
        "Test accuracy less that from random weights, means over seeds with 95 % intervals. Large dots: the chosen "
        "strengths."
    ),
    "dhzm_terms": (
        "The probe's test error against each term. A dot is a kind of encoder, mean over seeds; rings: encoders "
        "that do not beat their own random start."
    ),
    "a26_resnet": (
        "Accuracy on tasks of two classes, means over seeds with two standard errors. Left and middle: no "
        "normalisation layers, weights scaled before pretraining. Right: with batch norms, all weights multiplied "
        "after pretraining by the factor named; behind a batch norm the scale of a convolution changes its "
        "effective learning rate alone. Dotted: ResNet-18 of Lippl and Lindsey (2024), with more images, epochs and "
        "width."
    ),
    "a26_modular": (
        "Accuracy after fine-tuning on n pairs from pretrained weights (solid) and from the weights before "
        "pretraining (dashed); one scale moves at a time. Means over seeds with two standard errors."
    ),
    "dhzm_dense": (
        "Error against each term of the bound, a column for each task. A dot is an encoder, mean over seeds; larger "
        "dots were pretrained for more steps."
    ),
    "dhzm_multitask": (
        "Left: error of each way to learn a task, means over seeds with 95 % intervals. Right: the sum of errors "
        "after fine-tuning on all tasks together against that after each alone; a dot is an encoder, mean over "
        "seeds; grey line: equal sums."
    ),
}
