"""The part of the schema about runs of ``carryover adapt`` (documented in docs/report_schema.md)."""

from collections.abc import Mapping
from typing import Any

from carryover._core.conditions import (
    Check,
    choice,
    count,
    every,
    fields,
    flag,
    items,
    nullable,
    number,
    text,
)
from carryover._core.errors import InputError
from carryover._core.estimate_conditions import estimate, when_ok

METRICS = {"classification": "accuracy", "regression": "r2"}
LOSS_PARTS = ("best_constrained", "misjudged_best", "fit_beyond_best", "generalization_gap")
REGIME_EVIDENCE = (
    "kernel_distance",
    "centred_kernel_distance",
    "linearization_distance",
    "without_pretraining",
    "between_seeds",
    "linearized_accuracy",
    "without_pretraining_accuracy",
    "kernel_growth",
)
LEARNING = ("lazy", "rich", "cannot_tell")
PRETRAINING = ("dependent", "independent", "cannot_tell")

_regime = when_ok(
    {},
    {
        "learning": nullable(choice(*LEARNING)),
        "pretraining": nullable(choice(*PRETRAINING)),
        "sentences": items(text),
        "advice": items(text),
        "order": nullable(estimate),
        "evidence": fields({name: nullable(estimate) for name in REGIME_EVIDENCE}),
        "layers": items(fields({"name": text, "relative_change": nullable(number)})),
        "features": fields(
            {
                "cka": nullable(estimate),
                **dict.fromkeys(("participation_before", "participation_after", "share"), nullable(number)),
            }
        ),
        "borders": fields({"learning": nullable(number), "pretraining": nullable(number)}),
    },
)
_decomposition = fields(
    {
        "loss": estimate,
        "training_loss": number,
        "parts": fields({name: estimate for name in LOSS_PARTS}),
        "optimization_gap": estimate,
        "best_is_at_most": nullable(number),
    }
)


def _plan(metric: str) -> Check:
    return when_ok(
        {},
        {
            "plan": text,
            "validation_loss": number,
            f"test_{metric}": estimate,
            f"out_of_domain_{metric}": nullable(estimate),
            "less_than_winner": estimate,
            "forecast": nullable(fields({"method": nullable(text), "accuracy": nullable(estimate)})),
            "regime": nullable(_regime),
            "decomposition": _decomposition,
        },
    )


def _winner_is_a_plan(run: Mapping[str, Any], path: str) -> None:
    names = [plan["plan"] for plan in run["plans"]]
    if run["winner"] not in names:
        raise InputError(f"record{path}.winner names no plan of the run: {run['winner']!r}")


def adaptation_check(task: str) -> Check:
    """The check of a model's ``adaptation`` for a task, classification or regression."""
    run = fields(
        {
            "folder": text,
            "id": text,
            "same_test": flag,
            **dict.fromkeys(("n_train", "n_validation", "n_test"), count),
            "winner": text,
            "choice": text,
            "cannot_be_told_apart": items(text),
            "plans": items(_plan(METRICS[task])),
        },
        {"failed": items(fields({"plan": text, "reason": text}))},
    )
    return items(every(run, _winner_is_a_plan))
