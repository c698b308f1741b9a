"""A run of ``carryover adapt`` as the entry of report.json: what is shown of it, and nothing else."""

from collections.abc import Mapping
from typing import Any

from carryover.diagnosis.adaptation_checks import AXES, DIMENSIONS, EVIDENCE, METRICS, PARTS, is_finished
from carryover.diagnosis.adaptations import Adaptation

_ESTIMATE = ("value", "std_error", "interval", "n_samples", "confidence", "status", "reason")


def adaptation_record(found: Adaptation) -> dict[str, Any]:
    """The run with its plans, those of least validation loss first; what was not measured is null."""
    run, result = found.run, found.run.result
    metric = METRICS[result["target"]["task"]]
    return {
        "folder": run.folder,
        "id": run.id,
        "same_test": found.same_test,
        **{key: result["target"][key] for key in ("n_train", "n_validation", "n_test")},
        "winner": result["winner"],
        "choice": result["choice"]["sentence"],
        "cannot_be_told_apart": list(result["choice"]["cannot_be_told_apart"]),
        "plans": [
            _plan_record(plan, metric)
            for plan in sorted(filter(is_finished, result["plans"]), key=lambda plan: plan["validation_loss"])
        ],
        "failed": [
            {"plan": plan["plan"], "reason": plan["reason"]}
            for plan in result["plans"]
            if not is_finished(plan)
        ],
    }


def _plan_record(plan: Mapping[str, Any], metric: str) -> dict[str, Any]:
    test = _estimate(plan[f"test_{metric}"])
    return {
        "plan": plan["plan"],
        "status": test["status"],
        "reason": test["reason"],
        "validation_loss": plan["validation_loss"],
        f"test_{metric}": test,
        f"out_of_domain_{metric}": _estimate(plan.get(f"out_of_domain_{metric}")),
        "less_than_winner": _estimate(plan["less_than_winner"]),
        "forecast": _forecast_record(plan.get("forecast")),
        "regime": _regime_record(plan.get("regime")),
        "decomposition": _decomposition_record(plan["decomposition"]),
    }


def _forecast_record(forecast: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if forecast is None:
        return None
    return {"method": forecast.get("method"), "accuracy": _estimate(forecast.get("accuracy"))}


def _regime_record(regime: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if regime is None:
        return None
    evidence, features = regime.get("evidence", {}), regime.get("features", {})
    borders = regime.get("borders") or {}
    return {
        "status": regime["status"],
        "reason": regime["reason"],
        **{axis: regime.get(axis) for axis in AXES},
        "sentences": list(regime.get("sentences", ())),
        "advice": list(regime.get("advice", ())),
        "order": _estimate(regime.get("order")),
        "evidence": {name: _estimate(evidence.get(name)) for name in EVIDENCE},
        "layers": [
            {"name": layer["name"], "relative_change": layer.get("relative_change")}
            for layer in regime.get("layers", ())
        ],
        "features": {
            "cka": _estimate(features.get("cka")),
            **{name: features.get(name) for name in DIMENSIONS},
        },
        "borders": {axis: borders.get(axis) for axis in AXES},
    }


def _decomposition_record(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "loss": _estimate(found["loss"]),
        "training_loss": found["training_loss"],
        "parts": {name: _estimate(found["parts"][name]) for name in PARTS},
        "optimization_gap": _estimate(found["optimization_gap"]),
        "best_is_at_most": found["best_is_at_most"],
    }


def _estimate(found: Mapping[str, Any] | float | None) -> dict[str, Any] | None:
    if found is None:
        return None
    known = found if isinstance(found, Mapping) else {"value": found, "status": "ok"}
    return {key: known.get(key) for key in _ESTIMATE}
