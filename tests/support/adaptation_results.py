"""What ``carryover adapt`` writes, made up: run.json and result.json with six plans, forecasts and regimes."""

import copy
import json
from pathlib import Path
from typing import Any

PLANS = {  # test accuracy, forecast, out of domain, validation loss
    "lp_ft": (0.812, 0.80, 0.655, 0.61),
    "fine_tuning": (0.798, 0.775, 0.602, 0.64),
    "l2_sp": (0.795, 0.778, 0.61, 0.66),
    "lora": (0.781, 0.79, 0.64, 0.70),
    "ball": (0.772, None, 0.668, 0.74),
    "linear_probe": (0.741, 0.744, 0.671, 0.93),
}
_REGIMES = {  # linearised, without pretraining, learning, pretraining
    "lp_ft": (0.09, 0.74, "lazy", "dependent"),
    "fine_tuning": (0.46, 0.38, "rich", "dependent"),
    "l2_sp": (0.33, 0.41, "rich", "dependent"),
    "lora": (0.21, 0.52, "cannot_tell", "dependent"),
    "ball": (0.12, 0.11, "lazy", "cannot_tell"),
}
NO_POOL = "no large labelled pool was given to find the best constrained adaptation on"
STAY = "To stay nearer to what pretraining found, try lp_ft, l2_sp or ball: they limit how far the features move."
SHRINK = (
    "To learn more features, shrink the pretrained weights before fine-tuning: [scales] all_weights = 0.25."
)


def est(value: float, error: float, **more: Any) -> dict[str, Any]:
    """An estimate as adapt writes it."""
    ends = [value - 1.96 * error, value + 1.96 * error]
    base = {"value": value, "std_error": error, "interval": ends, "n_samples": 400, "confidence": 0.95}
    return {**base, "status": "ok", "reason": None, **more}


def missing(status: str, reason: str) -> dict[str, Any]:
    """An estimate that was not made."""
    empty = {"value": None, "std_error": None, "interval": None, "n_samples": None, "confidence": 0.95}
    return {**empty, "status": status, "reason": reason}


def regime(name: str) -> dict[str, Any]:
    """A plan's regime with every entry."""
    if name == "linear_probe":
        return {"status": "not_applicable", "reason": "the probe solves for the head: nothing descends"}
    linearized, without, learning, pretraining = _REGIMES[name]
    return {
        "status": "ok",
        "reason": None,
        "learning": learning,
        "pretraining": pretraining,
        "sentences": [
            f"The predictions differ from those of the linearised network by {linearized:g} of their variance.",
            f"Without pretraining they differ by {without:g} of their variance.",
        ],
        "advice": [STAY, SHRINK] if learning == "rich" else [SHRINK],
        "order": est({"lazy": 1.8, "rich": 1.2, "cannot_tell": 1.5}[learning] - linearized / 10, 0.02),
        "evidence": {
            "kernel_distance": est(linearized / 2, 0.02),
            "linearization_distance": est(linearized, 0.025),
            "without_pretraining": est(without, 0.03),
            "between_seeds": est(0.04, 0.004),
            "linearized_accuracy": est(0.77, 0.02),
            "without_pretraining_accuracy": est(0.55, 0.025),
        },
        "layers": [
            {"name": f"encoder.layer{k}.conv", "relative_change": None if k == 2 else 0.02 * k}
            for k in range(1, 5)
        ],
        "features": {
            "cka": {"value": 0.83, "status": "ok", "reason": None},
            "participation_before": 21.4,
            "participation_after": 12.9,
            "share": 0.62,
        },
        "borders": {"learning": 1.5, "pretraining": 0.1},
    }


def decomposition(loss: float, *, pool: bool) -> dict[str, Any]:
    """The parts of a loss add up to it."""
    parts = {"best_constrained": est(loss - 0.35, 0.04), "misjudged_best": est(-0.02, 0.03)}
    parts["fit_beyond_best"] = {**est(-0.18, 0.0), "n_samples": 160}
    if not pool:
        parts = dict.fromkeys(parts, missing("abstained", NO_POOL))
    return {
        "loss": est(loss, 0.04),
        "training_loss": loss - 0.55,
        "parts": {**parts, "generalization_gap": est(0.55, 0.04)},
        "optimization_gap": {**est(0.012, 0.0), "n_samples": 160},
        "best_is_at_most": loss - 0.27,
    }


def result(*, pool: bool = True, whole: bool = True) -> dict[str, Any]:
    """result.json of a run of all plans; without ``whole`` no plan has a forecast, a regime or another domain."""
    plans = []
    for name, (accuracy, forecast, outside, loss) in PLANS.items():
        row = {
            "plan": name,
            "test_accuracy": est(accuracy, 0.02),
            "test_log_loss": est(loss, 0.04),
            "validation_loss": loss,
            "less_than_winner": est(0.812 - accuracy, 0.013),
            "decomposition": decomposition(loss, pool=pool),
            "history": [],
            "warnings": [],
        }
        if whole:
            method = "ridge" if name == "linear_probe" else "tangent kernel ridge"
            row["out_of_domain_accuracy"] = est(outside, 0.024)
            row["forecast"] = {
                "method": f"{method} leave-one-out",
                "accuracy": missing("failed", "the kernel is zero"),
            }
            if forecast is not None:
                row["forecast"]["accuracy"] = est(forecast, 0.031)
            row["regime"] = regime(name)
        plans.append(row)
    plans[0]["less_than_winner"] = missing("not_applicable", "this plan is the winner")
    return {
        "schema": "carryover.adaptation/1",
        "model": "resnet56-cifar10",
        "target": {
            "name": "target",
            "task": "classification",
            "classes": ["cat", "dog"],
            "n_train": 160,
            "n_validation": 40,
            "n_test": 400,
        },
        "winner": "lp_ft",
        "choice": {
            "excess": {},
            "cannot_be_told_apart": ["lp_ft", "fine_tuning"],
            "sentence": "lp_ft has the least loss on the 40 labels set aside to choose on, but fine_tuning cannot be "
            "told from it there.",
        },
        "plans": plans[::-1],
    }


def run_json(*, ident: str = "f00d", weights: str = "w1", test: str = "t1") -> dict[str, Any]:
    """run.json."""
    hashes = {"train": "x", "validation": "y", "test": test, "weights": weights}
    return {"schema": "carryover.adaptation/1", "id": ident, "spec": {}, "hashes": hashes, "threads": 1}


def write_run(folder: Path, *, found: dict[str, Any] | None = None, **run: str) -> Path:
    """A folder with both files."""
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(run_json(**run)))
    (folder / "result.json").write_text(json.dumps(result() if found is None else found))
    return folder


def without(table: dict[str, Any], *keys: str) -> dict[str, Any]:
    """A copy that lacks the last of these nested keys."""
    changed = copy.deepcopy(table)
    inner = changed
    for key in keys[:-1]:
        inner = inner[key]
    del inner[keys[-1]]
    return changed
