"""Adaptation runs as the rows of a table: one for each plan and quantity."""

from collections.abc import Iterator, Mapping
from typing import Any

from carryover.reports.adaptation_schema import LOSS_PARTS, REGIME_EVIDENCE
from carryover.reports.adaptation_view import adapted_runs
from carryover.reports.metric import metric_of

ADAPTATION_COLUMNS = {
    "model": "string",
    "run": "string",
    "plan": "string",
    "is_winner": "boolean",
    "learning": "string",
    "pretraining": "string",
    "quantity": "string",
}


def adaptation_rows(record: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], Mapping[str, Any]]]:
    """What the row is about, and its estimate; what was not measured has no row."""
    metric = metric_of(record)
    for one in adapted_runs(record):
        for plan in one.plans:
            regime = plan["regime"] or {}
            row = {
                "model": one.model,
                "run": one.run["folder"],
                "plan": plan["plan"],
                "is_winner": plan["plan"] == one.run["winner"],
                "learning": regime.get("learning"),
                "pretraining": regime.get("pretraining"),
            }
            for quantity, estimate in _quantities(plan, metric.key).items():
                if estimate is not None:
                    yield {**row, "quantity": quantity}, estimate


def _quantities(plan: Mapping[str, Any], metric: str) -> dict[str, Any]:
    loss, forecast, regime = plan["decomposition"], plan["forecast"] or {}, plan["regime"]
    found = {name: plan[name] for name in (f"test_{metric}", f"out_of_domain_{metric}", "less_than_winner")}
    found |= {f"forecast_{metric}": forecast.get("accuracy"), "test_loss": loss["loss"]}
    found |= {name: loss["parts"][name] for name in LOSS_PARTS}
    found["optimization_gap"] = loss["optimization_gap"]
    if regime is not None and regime["status"] == "ok":
        found |= {name: regime["evidence"][name] for name in REGIME_EVIDENCE}
        found |= {"order": regime["order"], "feature_cka": regime["features"]["cka"]}
    return found
