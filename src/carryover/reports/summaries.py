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
