"""Views of adaptation runs that the page and its figures share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from carryover.reports.adaptation_schema import LOSS_PARTS
from carryover.reports.adaptation_words import EVIDENCE_NAMES, run_words

Plan = Mapping[str, Any]
FEATURES = ("cka", "participation_before", "participation_after", "share")


@dataclass(frozen=True)
class ShownRun:
    """A run with the name of its model, and a title that tells it from the others."""

    model: str
    run: Mapping[str, Any]

    @property
    def title(self) -> str:
        return run_words(self.run, self.model)

    @property
    def plans(self) -> list[Plan]:
        return list(self.run["plans"])


def adapted_runs(record: Mapping[str, Any]) -> list[ShownRun]:
    """Every run, models in the order of the ranking and then those without a rank."""
    place = {row["name"]: index for index, row in enumerate(record["ranking"])}
    models = sorted(record["models"], key=lambda model: place.get(model["name"], len(place)))
    return [ShownRun(model["name"], run) for model in models for run in model.get("adaptation") or ()]


def regime_runs(record: Mapping[str, Any]) -> list[ShownRun]:
    """The runs in which the regime of some plan was asked for."""
    return [one for one in adapted_runs(record) if placed_plans(one)]


def placed_plans(shown: ShownRun) -> list[Plan]:
    """The plans of a run that have an entry for their regime, whatever its status."""
    return [plan for plan in shown.plans if plan["regime"] is not None]


def unplaced_names(shown: ShownRun) -> list[str]:
    """The plans without one."""
    return [plan["plan"] for plan in shown.plans if plan["regime"] is None]


def is_known(shown: ShownRun, key: str) -> bool:
    """Whether some plan of the run has this entry (a forecast, a measure in another domain)."""
    return any(plan[key] is not None for plan in shown.plans)


def difference_to_winner(plan: Plan, metric: Any) -> Mapping[str, Any]:
    """This plan's accuracy less the winner's; for numbers its squared error less the winner's, as recorded."""
    found = plan["less_than_winner"]
    if found["status"] != "ok" or not metric.is_percent:
        return found
    ends = found["interval"] and [-found["interval"][1], -found["interval"][0]]
    return {**found, "value": -found["value"], "interval": ends}


def loss_parts(shown: ShownRun) -> tuple[list[str], list[dict[str, Any]]]:
    """Parts of the loss to show as columns, and those no plan has for one reason: {parts, status, reason}."""
    columns: list[str] = []
    absent: dict[tuple[str, str], list[str]] = {}
    for part in LOSS_PARTS:
        found = [plan["decomposition"]["parts"][part] for plan in shown.plans]
        states = {(one["status"], one["reason"]) for one in found}
        if len(states) == 1 and found[0]["status"] != "ok":
            absent.setdefault(next(iter(states)), []).append(part)
        else:
            columns.append(part)
    return columns, [
        {"parts": parts, "status": status, "reason": reason} for (status, reason), parts in absent.items()
    ]


def is_exact(estimate: Mapping[str, Any]) -> bool:
    """Whether a number is about the training labels themselves, so that its interval is a point."""
    return estimate["interval"] is not None and estimate["interval"][0] == estimate["interval"][1]


def evidence_of(plan: Plan, key: str) -> Any:
    """One piece of evidence of a plan's regime: an estimate, a number, or None where it was not measured."""
    regime = plan["regime"]
    if key in FEATURES:
        return regime["features"][key]
    return regime["order"] if key == "order" else regime["evidence"].get(key)


def evidence_columns(shown: ShownRun) -> tuple[list[str], list[str]]:
    """The evidence that some plan has, and what none has."""
    placed = [plan for plan in placed_plans(shown) if plan["regime"]["status"] == "ok"]
    known = [key for key in EVIDENCE_NAMES if any(evidence_of(plan, key) is not None for plan in placed)]
    return known, [key for key in EVIDENCE_NAMES if key not in known]


def layer_names(shown: ShownRun) -> list[str]:
    """The layers of all plans in the order of their first appearance."""
    layers = [layer["name"] for plan in placed_plans(shown) for layer in plan["regime"]["layers"]]
    return list(dict.fromkeys(layers))


def change_of(plan: Plan, layer: str) -> float | None:
    """The relative change of a layer's weights under a plan; None where it was not measured."""
    changes = {one["name"]: one["relative_change"] for one in plan["regime"]["layers"]}
    return changes.get(layer)


def map_point(plan: Plan) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
    """(distance from no pretraining, order of the implicit bias); None where one of them is missing."""
    regime = plan["regime"]
    if regime is None or regime["status"] != "ok":
        return None
    pair = regime["evidence"]["without_pretraining"], regime["order"]
    return pair if all(one is not None and one["status"] == "ok" for one in pair) else None


def has_border(shown: ShownRun) -> bool:
    """Whether the run says where its plans' borders lie."""
    return any(
        border is not None for plan in placed_plans(shown) for border in plan["regime"]["borders"].values()
    )


def is_placed(plan: Plan) -> bool:
    """Whether both sides of a plan's place are known."""
    found = {plan["regime"][axis] for axis in ("learning", "pretraining")}
    return not found & {None, "cannot_tell"}
