"""Cells that train or measure networks: pretrain, adapt, diagnose, each with its run in the cell's folder."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from carryover.adaptation.run import adapt
from carryover.adaptation.specs import AdaptSpec
from carryover.data.atomic import written_whole
from carryover.diagnosis.options import RunOptions
from carryover.diagnosis.pipeline import diagnose
from carryover.diagnosis.specs import DiagnosisSpec
from carryover.experiments.rows import Row, estimate_columns
from carryover.pretraining.run import pretrain
from carryover.pretraining.specs import PretrainSpec

_ESTIMATE = {"value", "interval", "status", "reason"}


def pretrain_one(spec: PretrainSpec, folder: Path) -> Row:
    """Losses on training and held-out images, their gap, and RadReg of the pool before and after."""
    record = pretrain(spec, folder / "run").record
    row: Row = {"steps": record["steps"]}
    for role in ("held_out", "train"):
        row |= estimate_columns(f"{role}_loss", record["pretraining_loss"][role])
    row["gap"] = record["gap"]
    for when, found in (record["radreg_of_pool"] or {}).items():
        row |= estimate_columns(f"radreg_{when}", found["estimate"])
        row |= estimate_columns(f"normalized_radreg_{when}", found["normalized"])
    row["notes"] = " ".join(record["notes"]) or None
    return row


def adapt_one(spec: AdaptSpec, folder: Path) -> Row:
    """The winner and its results; of several plans each one's, too, under its name."""
    record = adapt(spec, folder / "run").record
    plans = {plan["plan"]: plan for plan in record["plans"]}
    row: Row = {"winner": record["winner"], "n_train": record["target"]["n_train"]}
    row |= _plan_columns(plans[record["winner"]])
    if len(plans) > 1:
        for name, plan in plans.items():
            row |= {f"{name}.{key}": value for key, value in _plan_columns(plan).items()}
            row |= {f"{name}.status": plan["status"], f"{name}.reason": plan["reason"]}
    return row


def diagnose_one(spec: DiagnosisSpec, folder: Path) -> Row:
    """The best model and what limits it; of each model its accuracy (R2), under its name."""
    record = diagnose(spec, options=RunOptions()).record
    with written_whole(folder / "report.json", overwrite=True) as path:
        path.write_text(json.dumps(record, indent=1, allow_nan=False), encoding="utf-8")
    ranking = record["ranking"]
    verdicts = {verdict["model"]: verdict["limited_by"] for verdict in record["verdicts"]}
    best = ranking[0]
    row: Row = {"best": best["name"], "probability_best": best["probability_best"]}
    row |= estimate_columns("accuracy", best["accuracy"])
    row["limited_by"] = verdicts.get(best["name"])
    if best["accuracy"]["status"] != "ok":
        row |= {"status": "failed", "reason": best["accuracy"]["reason"]}
    for one in ranking if len(ranking) > 1 else []:
        name = one["name"]
        row |= estimate_columns(f"{name}.accuracy", one["accuracy"])
        row |= {f"{name}.limited_by": verdicts.get(name), f"{name}.probability_best": one["probability_best"]}
    return row


def _plan_columns(plan: Mapping[str, Any]) -> Row:
    """What was measured of a plan on test examples and elsewhere, its validation loss, regime and forecast."""
    row: Row = {"validation_loss": plan.get("validation_loss")}
    for key, value in plan.items():
        if key.startswith(("test_", "out_of_domain_")):
            row |= _columns(key, value)
    regime, forecast = plan.get("regime"), plan.get("forecast")
    if regime is not None:
        row["regime"] = regime["regime"] if regime["status"] == "ok" else None
    if forecast is not None:
        row |= estimate_columns("forecast_accuracy", forecast["accuracy"])
    return row


def _columns(name: str, value: Any) -> Row:
    return estimate_columns(name, value) if isinstance(value, Mapping) and value.keys() >= _ESTIMATE else {}
