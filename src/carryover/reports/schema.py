"""The schema ``carryover.diagnosis/1`` as one table of checks (documented in docs/report_schema.md)."""

from typing import Any

from carryover._core.conditions import (
    Check,
    between,
    choice,
    count,
    every,
    fields,
    flag,
    interval,
    items,
    mapping,
    nullable,
    number,
    plain,
    positive,
    text,
)
from carryover._core.errors import InputError
from carryover._core.estimate_conditions import estimate, value_when_ok, when_ok
from carryover.reports.adaptation_schema import adaptation_check
from carryover.reports.bounds_schema import all_bounds_check, all_bounds_of_check, assumption_check

SCHEMA = "carryover.diagnosis/1"
SCORES = ("logme", "h_score", "leep", "nleep", "nce", "transrate", "pactran", "knn", "ridge_loo")
BOUNDS = ("holdout", "rademacher", "pac_bayes")
CAUSES = ("labels", "representation", "domain")
PRETRAINING_TERMS = ("train", "held_out", "gap", "excess")


def _estimate_with(**extras: Check) -> Check:
    return every(estimate, when_ok(extras))


def _same_lengths(value: Any, path: str) -> None:
    lengths = (
        {key: len(value[key]) for key in ("n", "accuracy", "interval")} if value["status"] == "ok" else {}
    )
    if len(set(lengths.values())) > 1:
        raise InputError(f"record{path}: n, accuracy and interval must have equal lengths, got {lengths}")


_law = fields({"asymptote": number, "amplitude": number, "exponent": number}, {"reference": positive})
_curve = every(
    when_ok(
        {
            "n": items(positive),
            "accuracy": items(number),
            "interval": items(interval),
            "law": nullable(_law),
            "asymptote": estimate,
            "gain_from_doubling": estimate,
        }
    ),
    _same_lengths,
)
_bound = every(
    when_ok(
        {"vacuous": flag},
        {
            "value": nullable(number),
            "confidence": nullable(between(0, 1)),
            "terms": mapping(number),
            "assumptions": items(assumption_check),
            "vacuous": nullable(flag),
            "bounded": text,
        },
    ),
    value_when_ok,
)
_accuracies = {"accuracy": estimate, "balanced_accuracy": estimate, "log_loss": estimate}
_probe = {
    "classification": fields({"kind": text, "penalty": number, **_accuracies, "logistic": nullable(plain)}),
    "regression": fields({"kind": text, "penalty": number, "r2": estimate, "mse": estimate}),
}
_pretraining = fields(
    {
        "objective": nullable(text),
        **{name: estimate for name in PRETRAINING_TERMS},
        "family": items(text),
    }
)
_terms = fields(
    {
        "rademacher": _estimate_with(head=text, radius=number, cap=number, normalized=number, n=count),
        "total_variation": _estimate_with(
            accuracy_of_test=plain, n_pretraining=nullable(count), n_target=nullable(count)
        ),
    },
    {"pretraining": _pretraining},
)


def _model(task: str) -> Check:
    measured = {
        "n_features": count,
        "feature": text,
        "preprocessing": text,
        "weights_hash": nullable(text),
        "seconds": nullable(number),
        "probe": _probe[task],
        "scores": fields({name: estimate for name in SCORES}),
        "learning_curve": _curve,
        "terms": _terms,
        "bounds": fields({name: _bound for name in BOUNDS}),
    }
    known = fields(
        {},
        {"notes": items(text), "adaptation": adaptation_check(task), "all_bounds": all_bounds_check},
    )
    return every(when_ok(measured, {"name": text, "kind": text}), known)


_class = fields({"name": text, "n_train": count, "n_test": count})
_target = fields(
    {
        "name": text,
        "task": choice("classification", "regression"),
        "n_train": count,
        "n_test": count,
        "classes": nullable(items(_class)),
        "label_column": nullable(text),
        "image_column": nullable(text),
        "group_column": nullable(text),
        "split": text,
    }
)
_sample = fields({"name": text, "n": count})
_verdict = fields(
    {
        "model": text,
        "limited_by": choice(*CAUSES, "cannot_tell"),
        "sentence": text,
        "evidence": fields({cause: estimate for cause in CAUSES}),
        "checks": items(text),
    }
)
_run = fields(
    {
        "id": text,
        "seed": number,
        "threads": nullable(count),
        "seconds": nullable(number),
        "versions": mapping(plain),
        "hashes": mapping(plain),
    }
)


def record_check(task: str) -> Check:
    """The check of a whole record for a task, classification or regression."""
    return fields(
        {
            "carryover_version": text,
            "created": text,
            "spec": mapping(plain),
            "run": _run,
            "data": fields(
                {"target": _target, "unlabelled": nullable(_sample), "pretraining_sample": nullable(_sample)}
            ),
            "models": items(_model(task)),
            "ranking": items(
                fields({"name": text, "probability_best": nullable(between(0, 1)), "accuracy": estimate})
            ),
            "verdicts": items(_verdict),
            "warnings": items(text),
        },
        {"all_bounds_of": all_bounds_of_check},
    )
