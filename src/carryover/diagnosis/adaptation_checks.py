"""What run.json and result.json of a run of ``carryover adapt`` must hold for a diagnosis to show it.

Keys that are not named here are permitted; of a forecast and a regime everything but the regime's status may be
missing, and then it was not measured.
"""

from collections.abc import Mapping
from typing import Any

from carryover._core.conditions import (
    Check,
    choice,
    count,
    every,
    fields,
    items,
    nullable,
    number,
    text,
)
from carryover._core.errors import InputError
from carryover._core.estimate_conditions import estimate, short_estimate, when_ok

SCHEMA = "carryover.adaptation/1"
METRICS = {"classification": "accuracy", "regression": "r2"}
PARTS = ("best_constrained", "misjudged_best", "fit_beyond_best", "generalization_gap")
EVIDENCE = (
    "kernel_distance",
    "centred_kernel_distance",
    "linearization_distance",
    "without_pretraining",
    "between_seeds",
    "linearized_accuracy",
    "without_pretraining_accuracy",
    "kernel_growth",
)
DIMENSIONS = ("participation_before", "participation_after", "share")
AXES = ("learning", "pretraining")

check_run = fields({"id": text, "hashes": fields({"weights": text, "test": text})})
"""The check of run.json."""

_decomposition = fields(
    {
        "loss": estimate,
        "training_loss": number,
        "parts": fields({name: estimate for name in PARTS}),
        "optimization_gap": estimate,
        "best_is_at_most": nullable(number),
    }
)


def _number_or_estimate(value: Any, path: str) -> None:
    """A bare number is an estimate without an interval."""
    (short_estimate if isinstance(value, Mapping) else number)(value, path)


_forecast = fields({}, {"method": nullable(text), "accuracy": nullable(short_estimate)})
_regime = when_ok(
    {},
    optional={
        "learning": nullable(choice("lazy", "rich", "cannot_tell")),
        "pretraining": nullable(choice("dependent", "independent", "cannot_tell")),
        "sentences": items(text),
        "advice": items(text),
        "order": nullable(short_estimate),
        "evidence": fields({}, {name: nullable(short_estimate) for name in EVIDENCE}),
        "layers": items(fields({"name": text}, {"relative_change": nullable(number)})),
        "features": fields(
            {}, {"cka": nullable(_number_or_estimate), **{name: nullable(number) for name in DIMENSIONS}}
        ),
        "borders": nullable(fields({}, {name: nullable(number) for name in AXES})),
    },
)


_failed = fields({"plan": text, "status": choice("failed"), "reason": text})


def _plan(metric: str) -> Check:
    return fields(
        {
            "plan": text,
            "validation_loss": number,
            f"test_{metric}": estimate,
            "less_than_winner": estimate,
            "decomposition": _decomposition,
        },
        {
            f"out_of_domain_{metric}": nullable(estimate),
            "forecast": nullable(_forecast),
            "regime": nullable(_regime),
        },
    )


_target = fields(
    {
        "task": choice(*METRICS),
        "classes": items(text),
        **dict.fromkeys(("n_train", "n_validation", "n_test"), count),
    }
)
_common = fields(
    {
        "model": text,
        "target": _target,
        "winner": text,
        "choice": fields({"sentence": text, "cannot_be_told_apart": items(text)}),
    }
)


def check_result(record: Any, path: str) -> None:
    """The check of result.json; raises InputError naming the first field that is wrong."""
    _common(record, path)
    finished = _plan(METRICS[record["target"]["task"]])

    def plan(value: Any, path: str) -> None:
        (finished if is_finished(value) else _failed)(value, path)

    every(fields({"plans": items(plan)}), _check_names)(record, path)


def is_finished(plan: Any) -> bool:
    """Whether a plan's row has results; a row without a status has."""
    return not isinstance(plan, Mapping) or plan.get("status", "ok") == "ok"


def _check_names(record: Any, path: str) -> None:
    names = [plan["plan"] for plan in record["plans"]]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"record{path}.plans: names must be unique, repeated: {', '.join(repeated)}")
    for name in (record["winner"], *record["choice"]["cannot_be_told_apart"]):
        if name not in names:
            raise InputError(f"record{path} speaks of the plan {name!r}, which is not among its plans")
