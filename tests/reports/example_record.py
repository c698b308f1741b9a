"""A realistic diagnosis record in which everything was measured, built from a seed."""

from typing import Any

import numpy as np
from example_estimates import est, missing

from carryover.reports.schema import SCORES

NAMES = (
    "resnet56-cifar10",
    "resnet20-cifar10",
    "google/vit-base-patch16-224-in21k (CLS token, layer 11)",
    "pca-64",
    "raw-pixels",
    "random-conv",
    "mae-tiny-2000-epochs",
    "simclr-resnet18-imagenet100",
    "byol-resnet18",
    "dinov2-small",
    "features-from-another-framework.parquet",
    "wide-resnet-28-10",
)


def _curve(accuracy: float, n_train: int, rng: np.random.Generator) -> dict[str, Any]:
    asymptote, exponent = accuracy + 0.08, 0.55
    amplitude = (asymptote - accuracy) * n_train**exponent
    n = [round(n_train * f) for f in (0.0625, 0.125, 0.25, 0.5, 1.0)]
    means = [float(asymptote - amplitude * k**-exponent + rng.normal(0, 0.004)) for k in n]
    halves = [0.25 / np.sqrt(k) + 0.008 for k in n]
    gain = (asymptote - accuracy) * (1 - 2**-exponent)
    return {
        "status": "ok",
        "reason": None,
        "n": n,
        "accuracy": means,
        "interval": [[float(m - h), float(m + h)] for m, h in zip(means, halves, strict=True)],
        "law": {
            "asymptote": float(asymptote),
            "amplitude": float(asymptote - accuracy),
            "exponent": exponent,
            "reference": n_train,
        },
        "asymptote": est(asymptote, 0.022),
        "gain_from_doubling": est(gain, 0.006),
    }


def _bound(terms: dict[str, float], bounded: str, assumptions: list[tuple[str, str]]) -> dict[str, Any]:
    value = float(np.sum(list(terms.values())))
    listed = [{"text": text, "state": state} for text, state in assumptions]
    base = {"value": value, "confidence": 0.95, "terms": terms, "assumptions": listed, "bounded": bounded}
    return {**base, "vacuous": value >= 1, "status": "ok", "reason": None}


def _bounds(error: float) -> dict[str, Any]:
    split = ("the test examples were not used to choose the model", "not_checkable")
    holdout = _bound(
        {"test_error": error, "confidence": 0.038},
        "error rate of the ridge probe",
        [("test examples are independent draws from the target", "not_checkable"), split],
    )
    rademacher = _bound(
        {"empirical_margin_loss": error * 0.7, "complexity": 1.9, "confidence": 0.12},
        "error rate of the ridge probe",
        [("the labelled points are independent of the encoder", "checked"), ("|f| <= B", "violated")],
    )
    pac_bayes = _bound(
        {"gibbs_error": error * 0.9, "gibbs_sampling": 0.012, "divergence": 0.27, "confidence": 0.02},
        "error rate of the Gibbs classifier",
        [("the prior does not depend on the labels", "checked")],
    )
    return {"holdout": holdout, "rademacher": rademacher, "pac_bayes": pac_bayes}


def _scores(accuracy: float, regression: bool, rng: np.random.Generator) -> dict[str, Any]:
    spread = {
        "logme": est(-1.2 + accuracy * 1.1 + rng.normal(0, 0.05), 0.021),
        "h_score": est(9 * accuracy + rng.normal(0, 0.6), 0.24),
        "leep": missing("not_applicable", "the model has no source head"),
        "nleep": est(-3 + 2.2 * accuracy + rng.normal(0, 0.1), 0.05),
        "nce": missing("not_applicable", "the model has no source head"),
        "transrate": est(11 + 30 * accuracy + rng.normal(0, 4), 1.3),
        "pactran": est(-2.4e-5 + 1e-5 * accuracy, 4e-7),
        "knn": est(accuracy - 0.06 + rng.normal(0, 0.01), 0.017),
        "ridge_loo": est(accuracy + rng.normal(0, 0.008), 0.014),
    }
    if regression:
        why = "needs class labels; the target is a number"
        spread = {
            n: e if n in ("logme", "ridge_loo") else missing("not_applicable", why) for n, e in spread.items()
        }
    return {name: spread[name] for name in SCORES}


def _probe(accuracy: float, regression: bool) -> dict[str, Any]:
    if regression:
        return {
            "kind": "ridge",
            "penalty": 3.2,
            "r2": est(accuracy, 0.02),
            "mse": est(12.3 * (1 - accuracy), 0.31),
        }
    losses = {"accuracy": est(accuracy, 0.019), "balanced_accuracy": est(accuracy - 0.013, 0.02)}
    losses["log_loss"] = est(1.9 - accuracy, 0.05)
    logistic = {**losses, "accuracy": est(accuracy + 0.006, 0.019), "penalty": 0.01}
    return {"kind": "ridge", "penalty": 31.6, **losses, "logistic": logistic}


def _model(
    name: str, accuracy: float, *, n_train: int, regression: bool, rng: np.random.Generator
) -> dict[str, Any]:
    complexity = {
        "head": "||W||_F <= R, K outputs",
        "radius": 1.0,
        "cap": 0.71,
        "normalized": 0.043,
        "n": n_train,
    }
    variation = {"accuracy_of_test": est(0.93, 0.01), "n_pretraining": 5000, "n_target": n_train}
    refusal = {"value": None, "confidence": 0.95, "terms": {}, "assumptions": [], "vacuous": None}
    refusal |= {
        "bounded": "error rate",
        "status": "not_applicable",
        "reason": "bounds an error rate; the target is a number",
    }
    bounds = (
        {n: dict(refusal) for n in ("holdout", "rademacher", "pac_bayes")}
        if regression
        else _bounds(1 - accuracy)
    )
    return {
        "name": name,
        "kind": "factory",
        "n_features": int(rng.choice([64, 192, 384, 512, 768])),
        "feature": "mean over patches of the last hidden layer, after its layer norm",
        "preprocessing": "resized to 32 x 32 (bilinear), scaled to [0, 1], normalised by the checkpoint's mean and std",
        "weights_hash": "sha256:" + "".join(rng.choice(list("0123456789abcdef"), 64)),
        "status": "ok",
        "reason": None,
        "seconds": float(rng.uniform(2, 90)),
        "probe": _probe(accuracy, regression),
        "scores": _scores(accuracy, regression, rng),
        "learning_curve": _curve(accuracy, n_train, rng),
        "terms": {
            "rademacher": est(0.0431, 0.0004, **complexity),
            "total_variation": est(0.86, 0.015, **variation),
        },
        "bounds": bounds,
    }


def _verdict(index: int, model: str) -> dict[str, Any]:
    limited_by = ("labels", "representation", "domain", "cannot_tell")[index % 4]
    sentences = {
        "labels": "More labels would help most: doubling them should add 2.5 points, more than any other cause.",
        "representation": "The features are the limit: with unlimited labels a linear head on them stops near 81 %.",
        "domain": "The error falls where the target looks least like the pretraining data: 9 points between halves.",
        "cannot_tell": "Two causes explain about the same share of the error, and their intervals overlap.",
    }
    values = {"labels": 0.12, "representation": 0.1, "domain": 0.03}
    if limited_by in values:
        values[limited_by] += 0.11
    evidence = {cause: est(value, 0.02) for cause, value in values.items()}
    checks = [
        "The learning curve still rises at the last point.",
        "The fitted law leaves residuals within their intervals.",
    ]
    return {
        "model": model,
        "limited_by": limited_by,
        "sentence": sentences[limited_by],
        "evidence": evidence,
        "checks": checks,
    }


def _classes(n_classes: int, n_train: int) -> list[dict[str, Any]]:
    share = n_train // n_classes
    return [
        {"name": f"class {k}", "n_train": share + (5 if k == 0 else 0), "n_test": 20}
        for k in range(n_classes)
    ]


def _run(seed: int) -> dict[str, Any]:
    versions = {"python": "3.12.4", "numpy": "2.3.1", "torch": "2.13.0", "scikit-learn": "1.8.0"}
    hashes = {"target": "sha256:" + "5e" * 32, "weights": {"resnet56-cifar10": "sha256:" + "a7" * 32}}
    return {
        "id": "c0ffee" * 10 + "abcd",
        "seed": seed,
        "threads": 1,
        "seconds": 141.3,
        "versions": versions,
        "hashes": hashes,
    }


def _target(task: str, n_classes: int, n_train: int) -> dict[str, Any]:
    return {
        "name": "cifar100-coarse",
        "task": task,
        "n_train": n_train,
        "n_test": 20 * n_classes,
        "classes": _classes(n_classes, n_train) if task == "classification" else None,
        "label_column": "coarse_label",
        "image_column": "image",
        "group_column": None,
        "split": "80 % training and 20 % test, stratified by class, seed 0",
    }


def example_record(
    n_models: int = 5, *, task: str = "classification", n_classes: int = 20, n_train: int = 500, seed: int = 0
) -> dict[str, Any]:
    """A record in which every model was measured."""
    rng = np.random.default_rng(seed)
    accuracies = np.linspace(0.78, 0.42, n_models) + rng.normal(0, 0.004, n_models)
    regression = task == "regression"
    names = NAMES[:n_models]
    models = [
        _model(n, a, n_train=n_train, regression=regression, rng=rng)
        for n, a in zip(names, accuracies, strict=True)
    ]
    chances = [0.93 * 0.1**index + 0.001 for index in range(n_models)]
    key = "r2" if regression else "accuracy"
    ranking = [
        {"name": model["name"], "probability_best": chance / sum(chances), "accuracy": model["probe"][key]}
        for model, chance in zip(models, chances, strict=True)
    ]
    return {
        "schema": "carryover.diagnosis/1",
        "carryover_version": "0.1.0",
        "created": "2026-11-21T01:43:45+00:00",
        "spec": {"seed": seed, "confidence": 0.95},
        "run": _run(seed),
        "data": {
            "target": _target(task, n_classes, n_train),
            "unlabelled": {"name": "cifar100-train", "n": 5000},
            "pretraining_sample": {"name": "cifar10-train", "n": 5000},
        },
        "models": models,
        "ranking": ranking,
        "verdicts": [_verdict(index, model["name"]) for index, model in enumerate(models)],
        "warnings": [],
    }
