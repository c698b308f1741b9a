"""The probes on frozen features, and what they achieve on the test split."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from carryover._core.results import Estimate
from carryover.data.feature_rows import FeatureRows
from carryover.diagnosis.gathering import ModelFeatures
from carryover.diagnosis.target import Part, Target
from carryover.measures.logistic import fit_logistic_probe
from carryover.measures.moments import FeatureMoments
from carryover.measures.probe import (
    accuracy_estimate,
    balanced_accuracy_estimate,
    mean_loss_estimate,
    r2_estimate,
)
from carryover.measures.ridge import RidgePath, fit_ridge_path, loo_from_blocks

SMALLEST_PROBABILITY = 1e-12


@dataclass(frozen=True)
class Probe:
    """The ridge probe (and for classes the logistic one), tested.

    ``path`` is the ridge fit; ``moments`` are the sums over all training rows where those were streamed, else None.
    ``estimates``: accuracy, balanced_accuracy and log_loss (nats), or r2 and mse; ``logistic`` the same keys, None
    for regression.  ``correct`` (t,) tells which test examples ridge got right, None for regression.
    """

    penalty: float
    status: str
    reason: str | None
    estimates: dict[str, Estimate]
    logistic: dict[str, Estimate] | None
    logistic_penalty: float | None
    logistic_note: str | None
    correct: np.ndarray | None
    predictions: np.ndarray
    path: RidgePath
    moments: FeatureMoments | None


def fit_probe(
    features: ModelFeatures,
    train: np.ndarray | None,
    target: Target,
    *,
    subsample: tuple[np.ndarray, Part],
    generator: np.random.Generator,
) -> Probe:
    """Fit ridge to all training rows (from sums over blocks where ``train`` is None) and logistic to ``subsample``."""
    moments = None
    if train is None:
        blocks = _LabelledBlocks(features.train, target.train.targets)
        moments = _moments(blocks, target.n_classes)
        path = loo_from_blocks(moments, blocks)
    else:
        path = fit_ridge_path(train, target.train.targets, task=target.task, n_classes=target.n_classes)
    groups = target.test.groups
    if target.task == "regression":
        predictions = path.predict_scores(features.test).reshape(-1)
        estimates = {
            "r2": r2_estimate(target.test.targets, predictions, groups=groups),
            "mse": mean_loss_estimate((target.test.targets - predictions) ** 2, groups=groups),
        }
        return Probe(
            penalty=path.penalty,
            status=path.status,
            reason=path.reason,
            estimates=estimates,
            logistic=None,
            logistic_penalty=None,
            logistic_note=None,
            correct=None,
            predictions=predictions,
            path=path,
            moments=moments,
        )
    probabilities = path.predict_probabilities(features.test)
    rows, part = subsample
    logistic = fit_logistic_probe(rows, part.targets, groups=part.groups, generator=generator)
    return Probe(
        penalty=path.penalty,
        status=path.status,
        reason=path.reason,
        estimates=_classified(probabilities, target.test),
        logistic=_classified(logistic.predict_probabilities(features.test), target.test),
        logistic_penalty=logistic.penalty,
        logistic_note=logistic.reason,
        correct=probabilities.argmax(axis=1) == target.test.targets,
        predictions=probabilities,
        path=path,
        moments=moments,
    )


def _classified(probabilities: np.ndarray, test: Part) -> dict[str, Estimate]:
    correct = probabilities.argmax(axis=1) == test.targets
    own = probabilities[np.arange(len(test)), test.targets]
    return {
        "accuracy": accuracy_estimate(correct, groups=test.groups),
        "balanced_accuracy": balanced_accuracy_estimate(correct, test.targets, groups=test.groups),
        "log_loss": mean_loss_estimate(-np.log(np.maximum(own, SMALLEST_PROBABILITY)), groups=test.groups),
    }


@dataclass(frozen=True)
class _LabelledBlocks:
    """Blocks of (features, targets) that can be iterated again."""

    rows: FeatureRows
    targets: np.ndarray

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start, block in self.rows.blocks():
            yield block, self.targets[start : start + len(block)]


def _moments(blocks: _LabelledBlocks, n_classes: int | None) -> FeatureMoments:
    total = None
    for features, targets in blocks:
        part = FeatureMoments.from_rows(features, targets, n_classes)
        total = part if total is None else total.merge(part)
    return total
