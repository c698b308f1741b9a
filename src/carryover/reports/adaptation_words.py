"""The words of what adaptation runs found: parts of a loss, placements, evidence, and a line for the terminal."""

from collections.abc import Mapping
from typing import Any

from carryover.reports.metric import Metric
from carryover.reports.wording import display_name

PART_NAMES = {
    "best_constrained": "Best that its constraint allows",
    "misjudged_best": "Misjudged by few labels",
    "fit_beyond_best": "Fit beyond the best",
    "generalization_gap": "Generalisation gap",
}
LEARNING = {"lazy": "lazy", "rich": "rich", "cannot_tell": "lazy or rich: cannot tell"}
PRETRAINING = {
    "dependent": "pretraining-dependent",
    "independent": "pretraining-independent",
    "cannot_tell": "pretraining: cannot tell",
}
EVIDENCE_NAMES = {
    "order": "Order of the implicit bias",
    "kernel_growth": "Growth of the tangent kernel along what was learned",
    "kernel_distance": "Tangent kernel, from start to end",
    "centred_kernel_distance": "The same, without what all examples share",
    "linearization_distance": "Predictions, from the linearised network's",
    "without_pretraining": "Predictions, from those without pretraining",
    "between_seeds": "Predictions, between two seeds",
    "linearized_accuracy": "{metric} of the linearised network",
    "without_pretraining_accuracy": "{metric} without pretraining",
    "cka": "Features before and after, debiased CKA",
    "participation_before": "Directions the features use, before",
    "participation_after": "Directions they use, after",
    "share": "Share of those after that were there before",
}
ON_THE_METRIC = ("linearized_accuracy", "without_pretraining_accuracy")


def evidence_name(key: str, metric: Metric) -> str:
    """The heading of a column of evidence."""
    return EVIDENCE_NAMES[key].format(metric=metric.name[:1].upper() + metric.name[1:])


def run_words(run: Mapping[str, Any], model: str) -> str:
    """A run's name: its folder and the model that it adapted."""
    return f"{display_name(model)}, run {display_name(run['folder'])}"


def run_line(run: Mapping[str, Any], model: str, metric: Metric) -> str:
    """The run in one line: the winner, what it reached, what was forecast, its regime, and what equals it."""
    best = next(plan for plan in run["plans"] if plan["plan"] == run["winner"])
    said = [_reached(best, metric)]
    forecast = (best["forecast"] or {}).get("accuracy")
    if forecast is not None and forecast["status"] == "ok":
        said.append(f"forecast {metric.value(forecast)}")
    regime = best["regime"]
    if regime is not None and regime["status"] == "ok":
        said += [words[regime[axis]] for axis, words in _AXES.items() if regime[axis] is not None]
    near = [display_name(name) for name in run["cannot_be_told_apart"] if name != run["winner"]]
    if near:
        said.append(f"cannot be told from {', '.join(near)}")
    if not run["same_test"]:
        said.append("measured on other test examples than these")
    return f"{run_words(run, model)}: {display_name(run['winner'])} wins, {'; '.join(said)}"


_AXES = {"learning": LEARNING, "pretraining": PRETRAINING}


def _reached(plan: Mapping[str, Any], metric: Metric) -> str:
    found = plan[f"test_{metric.key}"]
    if found["status"] != "ok":
        return f"test {metric.name} {found['status'].replace('_', ' ')} ({display_name(found['reason'])})"
    interval = metric.interval(found)
    return f"test {metric.name} {metric.value(found)}{f' ({interval})' if interval else ''}"
