"""Diagnosis records in which things failed, abstained or do not apply, and names are hostile."""

from typing import Any

from adaptation_results import result as adapt_result
from example_adaptation import adapted_record, as_numbers, shown_run
from example_all_bounds import all_bounds, bounds_record, compared_record, entry, not_computed, vacuous_bounds
from example_estimates import est, missing
from example_pretraining import pretrained_record
from example_record import example_record

__all__ = [
    "HOSTILE",
    "adapt_result",
    "adapted_record",
    "all_bounds",
    "as_numbers",
    "bounds_record",
    "compared_record",
    "entry",
    "est",
    "example_record",
    "fail_model",
    "missing",
    "not_computed",
    "pretrained_record",
    "rename",
    "shown_run",
    "troubled_record",
    "vacuous_bounds",
]

HOSTILE = "<script>alert(1)</script>&\"'"


def fail_model(record: dict[str, Any], index: int, reason: str) -> dict[str, Any]:
    """Turn one model of a record into one that failed, out of the ranking and the verdicts."""
    name = record["models"][index]["name"]
    empty = dict.fromkeys(("n_features", "feature", "preprocessing", "weights_hash", "seconds"))
    empty |= dict.fromkeys(("probe", "scores", "learning_curve", "terms", "bounds"))
    record["models"][index] = {"name": name, "kind": "factory", "status": "failed", "reason": reason, **empty}
    record["ranking"] = [row for row in record["ranking"] if row["name"] != name]
    record["verdicts"] = [row for row in record["verdicts"] if row["model"] != name]
    return record


def troubled_record() -> dict[str, Any]:
    """Six models, hostile names, and every status: failed, abstained and not applicable, in every part."""
    record = example_record(6)
    rename(record, 1, HOSTILE)
    rename(record, 3, "$\\alpha_{x}$ 模型 \x07" + "long-name-without-a-space" * 5)
    fail_model(record, 5, "3 values of layer1.0.conv1.weight are NaN: download the weights again")
    record["data"]["pretraining_sample"] = record["data"]["unlabelled"] = None
    record["data"]["target"]["group_column"] = "patient <id>"
    for model in record["models"][:5]:
        model["terms"]["total_variation"] = missing("not_applicable", "no pretraining sample was given")
    _trouble(record["models"][2])
    for verdict in record["verdicts"]:
        verdict["evidence"]["domain"] = missing("not_applicable", "no pretraining sample was given")
    record["warnings"] = [
        "Class 'class 7' has 2 training examples: its accuracy is hardly known.",
        f"Features of {HOSTILE} contain 3 constant columns.",
    ]
    return record


def _trouble(model: dict[str, Any]) -> None:
    model["learning_curve"] = {"status": "abstained", "reason": "fewer than 3 label counts hold every class"}
    model["scores"]["logme"] = missing("failed", "the evidence did not converge in 100 iterations")
    model["scores"]["knn"] = est(0.5)
    bound = model["bounds"]["pac_bayes"]
    bound |= {
        "value": None,
        "terms": {},
        "vacuous": None,
        "status": "failed",
        "reason": "the divergence overflowed",
    }


def rename(record: dict[str, Any], index: int, name: str) -> None:
    """Give a model another name everywhere."""
    old = record["models"][index]["name"]
    record["models"][index]["name"] = name
    for part, key in (("ranking", "name"), ("verdicts", "model")):
        for row in record[part]:
            if row[key] == old:
                row[key] = name
