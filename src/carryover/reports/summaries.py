"""Views of a record that the page shows once instead of once per model."""

from collections.abc import Mapping
from typing import Any

from carryover.reports.wording import SCORE_NAMES


def _measured(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [model for model in record["models"] if model["status"] == "ok"]


def scores_by_availability(record: Mapping[str, Any]) -> tuple[list[str], list[dict[str, str]]]:
    """The scores to show as columns, and those no model has for one common reason: {score, status, reason}."""
    shown, absent = [], []
    for score in SCORE_NAMES:
        states = {(m["scores"][score]["status"], m["scores"][score]["reason"]) for m in _measured(record)}
        if len(states) == 1 and next(iter(states))[0] != "ok":
            status, reason = next(iter(states))
            absent.append({"score": score, "status": status, "reason": reason})
        elif states:
            shown.append(score)
    return shown, absent


def pretrained_models(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Measured models whose pretraining losses are known, in the record's order."""
    measured = [model for model in _measured(record) if "pretraining" in model["terms"]]
    return [model for model in measured if model["terms"]["pretraining"]["train"]["status"] == "ok"]


def family_words(record: Mapping[str, Any], model: Mapping[str, Any]) -> str:
    """Against whom the excess of a pretrained model is counted."""
    excess = {
        one["name"]: one["terms"]["pretraining"]["excess"]["value"] for one in pretrained_models(record)
    }
    family = model["terms"]["pretraining"]["family"]
    known = [name for name in family if excess.get(name) is not None]
    best = min(known, key=excess.get)
    if excess[model["name"]] == excess[best]:
        return f"the best of {len(family)}"
    return f"the best of {len(family)} is {best}"


def noted_models(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Models with something to note."""
    return [model for model in record["models"] if model.get("notes")]


def curve_counts(record: Mapping[str, Any]) -> list[int]:
    """All numbers of labels at which some learning curve was measured, ascending."""
    curves = [model["learning_curve"] for model in _measured(record)]
    return sorted({n for curve in curves if curve["status"] == "ok" for n in curve["n"]})


def assumptions_of(record: Mapping[str, Any], bound: str) -> list[dict[str, Any]]:
    """Each assumption of a bound once per state, with the models it concerns (empty: all of them)."""
    concerned: dict[tuple[str, str], list[str]] = {}
    having = [model for model in _measured(record) if model["bounds"][bound]["assumptions"]]
    for model in having:
        for assumption in model["bounds"][bound]["assumptions"]:
            concerned.setdefault((assumption["text"], assumption["state"]), []).append(model["name"])
    return [
        {"text": text, "state": state, "models": [] if len(names) == len(having) else names}
        for (text, state), names in concerned.items()
    ]
