"""The words of the report: names, meanings and the answer in plain sentences."""

import re
from collections.abc import Mapping
from typing import Any

from carryover.reports import numbers
from carryover.reports.metric import metric_of

LIMITS = {
    "labels": "limited by labels",
    "representation": "limited by the representation",
    "domain": "limited by the domain",
    "cannot_tell": "cannot tell what limits it",
}
LIMIT_CARD = {
    "labels": "Labels",
    "representation": "The representation",
    "domain": "The domain",
    "cannot_tell": "Cannot tell",
}
LIMIT_NOTES = {
    "labels": "the accuracy still rises with every label added",
    "representation": "more labels alone will not do: try other features",
    "domain": "it errs where the target differs from the pretraining data",
    "cannot_tell": "the evidence does not single out one cause",
}
CAUSES = {"labels": "labels", "representation": "representation", "domain": "domain"}
STATUSES = {"failed": "failed", "abstained": "abstained", "not_applicable": "not applicable"}
ASSUMPTIONS = {"checked": "checked", "not_checkable": "cannot be checked", "violated": "violated"}
SCORE_NAMES = {
    "ridge_loo": "Ridge, leave-one-out",
    "logme": "LogME",
    "h_score": "H-score",
    "leep": "LEEP",
    "nleep": "NLEEP",
    "nce": "NCE",
    "transrate": "TransRate",
    "pactran": "PACTran",
    "knn": "kNN",
}
SCORE_MEANINGS = {
    "ridge_loo": "The plain baseline: how often a ridge probe is right about a labelled example it was fitted without "
    "(for a numeric target: its R²).",
    "logme": "Log evidence of Bayesian linear regression from the features to the labels, per example, in nats.",
    "h_score": "How much of the features' variance lies between the classes, with a shrunk covariance. "
    "It is at least 0, and at most the number of classes less one.",
    "leep": "Mean log probability of the label given only what the model's own source head predicts. At most 0.",
    "nleep": "LEEP with clusters of the features (a Gaussian mixture) in place of a source head. At most 0.",
    "nce": "Minus the entropy of the label given the source head's predicted class, in nats. At most 0.",
    "transrate": "Coding rate of all features less that within the classes: information about the label, in nats.",
    "pactran": "Minus a PAC-Bayes bound on the log loss of a Gaussian softmax head, in nats. Below 0.",
    "knn": "How often the nearest labelled neighbours (cosine similarity) name the right class.",
}
BOUND_NAMES = {
    "holdout": "Hold-out (Clopper-Pearson)",
    "rademacher": "Rademacher complexity",
    "pac_bayes": "PAC-Bayes",
}
TERM_NAMES = {
    "rademacher": "Rademacher complexity of the representation",
    "total_variation": "Total variation, pretraining sample to target",
}
PRETRAINING_NAMES = {
    "train": "Loss on training images",
    "held_out": "Loss on held-out images",
    "gap": "Gap, held-out less training",
    "excess": "Excess over the best of its family",
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def display_name(name: str) -> str:
    """A name that fits on one line: control and direction marks become a visible replacement.

    >>> display_name("a\\x07b")
    'a�b'
    """
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", name)


def term_words(term: str) -> str:
    """A term's key as words.

    >>> term_words("empirical_margin_loss")
    'empirical margin loss'
    """
    return display_name(term.replace("_", " "))


def best_row(record: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The first ranked model whose test result exists."""
    return next((row for row in record["ranking"] if row["accuracy"]["status"] == "ok"), None)


def model_named(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The model of that name."""
    return next(model for model in record["models"] if model["name"] == name)


def _which(record: Mapping[str, Any], row: Mapping[str, Any]) -> tuple[str, str]:
    """A sentence that names the model, and how sure that is."""
    name, probability = display_name(row["name"]), row["probability_best"]
    measured = [other for other in record["ranking"] if other["accuracy"]["status"] == "ok"]
    if len(measured) == 1:
        return (
            f"{name} is the only model that was measured.",
            "the only model measured: nothing to compare with",
        )
    if probability is None:
        return f"{name} did best on the test split.", "how sure this is was not computed"
    sure = f"the best of {len(measured)} with probability {numbers.chance(probability)}"
    if probability >= 0.9:
        return f"Use {name}: it is {sure}.", sure
    if probability >= 0.6:
        return f"{name} is the likely choice: it is {sure}.", sure
    second = display_name(next(other["name"] for other in measured if other is not row))
    return f"{name} and {second} cannot be told apart with these data: {name} is {sure}.", sure


def _doubled(record: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, str]:
    metric = metric_of(record)
    n_train = record["data"]["target"]["n_train"]
    title = f"With {numbers.whole(2 * n_train)} labels"
    curve = model_named(record, row["name"])["learning_curve"]
    gain = curve["gain_from_doubling"] if curve["status"] == "ok" else curve
    if gain["status"] != "ok":
        return {"title": title, "value": "Not known", "note": gain["reason"], "sentence": ""}
    value = row["accuracy"]["value"] + gain["value"]
    value = min(value, 1.0)
    note = metric.difference(gain["value"])
    if gain["interval"]:
        note = f"{note} ({metric.difference_interval(gain)})"
    sentence = f"twice the labels would bring it to about {metric.number(value)}"
    return {
        "title": title,
        "value": metric.number(value),
        "note": f"expected gain {note}",
        "sentence": sentence,
    }


def _now(record: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, str]:
    metric, target = metric_of(record), record["data"]["target"]
    interval = metric.interval(row["accuracy"])
    note = f"{interval}, " if interval else ""
    return {
        "title": f"Test {metric.name} now",
        "value": metric.value(row["accuracy"]),
        "note": f"{note}with {numbers.whole(target['n_train'])} labels",
    }


def _limit(record: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, str]:
    verdict = next((one for one in record["verdicts"] if one["model"] == row["name"]), None)
    if verdict is None:
        return {
            "title": "Limited by",
            "value": "Cannot tell",
            "note": "no verdict was reached",
            "sentence": "",
        }
    value = LIMIT_CARD[verdict["limited_by"]]
    return {
        "title": "Limited by",
        "value": value,
        "note": LIMIT_NOTES[verdict["limited_by"]],
        "sentence": verdict["sentence"],
    }


def headline(record: Mapping[str, Any]) -> dict[str, Any]:
    """The answer: a sentence, what follows it, and up to four cards {title, value, note}."""
    row = best_row(record)
    if row is None:
        reasons = sorted({display_name(model["reason"]) for model in record["models"] if model["reason"]})
        said = " ".join(reasons) or "No model was given."
        return {"sentence": "No model could be measured.", "rest": said, "cards": []}
    which, sure = _which(record, row)
    now, doubled, limit = _now(record, row), _doubled(record, row), _limit(record, row)
    metric = metric_of(record)
    rest = f"On the test split its {metric.name} is {now['value']} ({now['note']})"
    rest += f"; {doubled['sentence']}." if doubled["sentence"] else "."
    best = {"title": "Best model", "value": display_name(row["name"]), "note": sure}
    return {
        "sentence": which,
        "rest": f"{rest} {limit['sentence']}".strip(),
        "cards": [best, now, doubled, limit],
    }
