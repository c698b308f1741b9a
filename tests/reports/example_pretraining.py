"""A diagnosis record in which some models come from pretraining runs."""

from typing import Any

from example_estimates import est, missing
from example_record import example_record

NOT_A_RUN = "it is not a pretraining run of carryover, whose losses are known"


def _terms(held_out: float, excess: dict[str, Any], family: list[str]) -> dict[str, Any]:
    return {
        "objective": "context_encoder",
        "train": est(0.8312, 0.012),
        "held_out": est(held_out, 0.016),
        "gap": est(held_out - 0.8312, 0.02),
        "excess": excess,
        "family": family,
    }


def pretrained_record() -> dict[str, Any]:
    """Four models: a family of two, a run on its own, and one that is no run."""
    record = example_record(4)
    first, second, third, fourth = record["models"]
    family = [first["name"], second["name"]]
    alone = missing("not_applicable", "no other candidate was pretrained by the same loss")
    first["terms"]["pretraining"] = _terms(0.8354, {**est(0.0), "interval": [0.0, 0.012]}, family)
    second["terms"]["pretraining"] = _terms(0.8567, est(0.0213, 0.009), family)
    third["terms"]["pretraining"] = _terms(0.9, alone, [third["name"]])
    absent = missing("not_applicable", NOT_A_RUN)
    fourth["terms"]["pretraining"] = {"objective": None, "family": []}
    fourth["terms"]["pretraining"] |= dict.fromkeys(("train", "held_out", "gap", "excess"), absent)
    for model in record["models"][:3]:
        model["kind"] = "pretrained"
        model["notes"] = ["Pretrained with the regulariser radreg, strength 0.1."]
    second["notes"].append("Model seen: 3 of the 500 training examples (rows 1, 2, 9) were in the pool <b>.")
    return record
