"""The measurements as the plain, versioned record that report.json holds and reports are drawn from."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from carryover._core.results import Bound, Estimate
from carryover.diagnosis.candidates import Candidate
from carryover.diagnosis.measuring import NO_SAMPLE, Measurements
from carryover.diagnosis.pretraining_terms import PretrainingTerms
from carryover.diagnosis.probing import Probe
from carryover.diagnosis.target import Target
from carryover.diagnosis.verdicts import Verdict
from carryover.measures.error_law import Extrapolation
from carryover.measures.heterogeneity import TotalVariation
from carryover.measures.learning_curve import LearningCurve
from carryover.measures.rademacher import RademacherComplexity

SCHEMA = "carryover.diagnosis/1"


def estimate_record(estimate: Estimate) -> dict[str, Any]:
    """An estimate as JSON."""
    return {
        "value": _number(estimate.value),
        "std_error": _number(estimate.std_error),
        "interval": None if estimate.interval is None else [float(end) for end in estimate.interval],
        "n_samples": None if estimate.n_samples is None else int(estimate.n_samples),
        "confidence": float(estimate.confidence),
        "status": estimate.status,
        "reason": estimate.reason,
    }


def bound_record(bound: Bound) -> dict[str, Any]:
    """A bound as JSON."""
    return {
        "value": _number(bound.value),
        "confidence": float(bound.confidence),
        "terms": {name: float(term) for name, term in bound.terms.items()},
        "assumptions": [{"text": one.text, "state": one.state} for one in bound.assumptions],
        "vacuous": None if bound.vacuous is None else bool(bound.vacuous),
        "bounded": bound.bounded,
        "status": bound.status,
        "reason": bound.reason,
    }


def verdict_record(verdict: Verdict) -> dict[str, Any]:
    """A verdict as JSON."""
    return {
        "model": verdict.model,
        "limited_by": verdict.limited_by,
        "sentence": verdict.sentence,
        "evidence": {cause: estimate_record(one) for cause, one in verdict.evidence.items()},
        "checks": list(verdict.checks),
    }


def failed_model_record(candidate: Candidate, reason: str) -> dict[str, Any]:
    """The row of a candidate that could not be measured."""
    return {"name": candidate.name, "kind": candidate.kind, "status": "failed", "reason": reason}


def model_record(
    candidate: Candidate,
    measured: Measurements,
    extrapolation: Extrapolation,
    *,
    pretraining: PretrainingTerms,
    seconds: float,
) -> dict[str, Any]:
    """Everything about one candidate."""
    return {
        "name": candidate.name,
        "kind": candidate.kind,
        "n_features": int(measured.n_features),
        "feature": candidate.feature,
        "preprocessing": candidate.preprocessing,
        "weights_hash": candidate.weights_hash,
        "notes": [*candidate.notes, *measured.notes],
        "status": "ok",
        "reason": None,
        "seconds": round(seconds, 3),
        "probe": _probe_record(measured.probe),
        "scores": {name: estimate_record(score) for name, score in measured.scores.items()},
        "learning_curve": _curve_record(measured.curve, extrapolation),
        "terms": {
            "rademacher": _rademacher_record(measured.rademacher),
            "total_variation": _variation_record(measured.total_variation),
            "pretraining": _pretraining_record(pretraining),
        },
        "bounds": {name: bound_record(bound) for name, bound in measured.bounds.items()},
    }


def target_record(target: Target) -> dict[str, Any]:
    """What was predicted, and from how many examples."""
    classes = None
    if target.task == "classification":
        counts = [
            np.bincount(part.targets, minlength=len(target.class_names)).tolist()
            for part in (target.train, target.test)
        ]
        classes = [
            {"name": name, "n_train": n_train, "n_test": n_test}
            for name, n_train, n_test in zip(target.class_names, *counts, strict=True)
        ]
    return {
        "name": target.name,
        "task": target.task,
        "n_train": len(target.train),
        "n_test": len(target.test),
        "classes": classes,
        "label_column": target.columns["label"],
        "image_column": target.columns["image"],
        "group_column": target.columns["group"],
        "split": target.split,
        "notes": list(target.notes),
    }


def _probe_record(probe: Probe) -> dict[str, Any]:
    record = {
        "kind": "ridge",
        "penalty": float(probe.penalty),
        "status": probe.status,
        "reason": probe.reason,
    }
    record |= {name: estimate_record(one) for name, one in probe.estimates.items()}
    if probe.logistic is not None:
        record["logistic"] = {
            "penalty": _number(probe.logistic_penalty),
            "note": probe.logistic_note,
            **{name: estimate_record(one) for name, one in probe.logistic.items()},
        }
    return record


def _curve_record(curve: LearningCurve, extrapolation: Extrapolation) -> dict[str, Any]:
    law = None
    if extrapolation.law is not None:
        fitted = extrapolation.law
        law = {
            "asymptote": 1 - float(fitted.asymptote[0]),
            "amplitude": float(fitted.amplitude[0]),
            "exponent": float(fitted.exponent[0]),
            "reference": float(fitted.reference),
        }
    return {
        "status": "ok",
        "reason": None,
        "n": [int(size) if float(size).is_integer() else float(size) for size in curve.sizes],
        "accuracy": [float(one.value) for one in curve.estimates],
        "interval": [[float(end) for end in one.interval] for one in curve.estimates],
        "law": law,
        "asymptote": estimate_record(extrapolation.asymptote),
        "gain_from_doubling": estimate_record(extrapolation.gain_from_doubling),
    }


def _rademacher_record(measured: RademacherComplexity) -> dict[str, Any]:
    return {
        **estimate_record(measured.estimate),
        "head": f"||W||_F <= R, {measured.n_outputs} outputs",
        "radius": float(measured.radius),
        "cap": float(measured.upper_cap),
        "lower_cap": float(measured.lower_cap),
        "normalized": _number(measured.normalized.value) if measured.normalized.ok else 0.0,
        "n": int(measured.n),
        "n_draws": int(measured.n_draws),
    }


def _variation_record(measured: TotalVariation | None) -> dict[str, Any]:
    if measured is None:
        missing = estimate_record(Estimate.missing("not_applicable", NO_SAMPLE))
        return {**missing, "accuracy_of_test": None, "n_pretraining": None, "n_target": None}
    return {
        **estimate_record(measured.estimate),
        "accuracy_of_test": _number(measured.accuracy_of_test),
        "n_pretraining": int(measured.n_pretraining),
        "n_target": int(measured.n_target),
        "note": measured.note,
    }


def _pretraining_record(terms: PretrainingTerms) -> dict[str, Any]:
    return {
        "objective": terms.objective,
        "train": estimate_record(terms.train),
        "held_out": estimate_record(terms.held_out),
        "gap": estimate_record(terms.gap),
        "excess": estimate_record(terms.excess),
        "family": list(terms.family),
    }


def ranking_record(
    rows: Mapping[str, tuple[float | None, Estimate]],
) -> list[dict[str, Any]]:
    """Names with the probability of being best and the accuracy (R2), in the order given."""
    return [
        {"name": name, "probability_best": _number(probability), "accuracy": estimate_record(accuracy)}
        for name, (probability, accuracy) in rows.items()
    ]


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
