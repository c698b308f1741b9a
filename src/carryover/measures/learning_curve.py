"""Accuracy of the ridge probe against the number of labels, with intervals for the mean over training sets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int, Num

from carryover._core.checks import check_features, check_labels
from carryover._core.errors import InputError
from carryover._core.results import Estimate
from carryover.measures.curve_intervals import accuracy_estimates
from carryover.measures.partitions import balanced_partitions, count_levels
from carryover.measures.ridge_scores import ridge_scores

Task = Literal["classification", "regression"]


@dataclass(frozen=True)
class LearningCurve:
    """Losses of the ridge probe on every test example, at n_train / 2^k labels for k = levels..0.

    ``sizes`` (s,) ascending, the last being all training rows (means, where groups make parts unequal).
    ``half_losses`` (s-1, p, 2, t): for each smaller size, partition and half, a test example's loss averaged
    over the parts of that half; ``full_losses`` (t,) for the fit on all rows.  Losses are 0/1 errors, or
    squared errors divided by the variance of the targets at hand (train and test).
    ``accuracy`` (s): 1 - mean loss (R2 for regression), with an interval each in ``estimates``.
    """

    task: Task
    sizes: Float[np.ndarray, " s"]
    accuracy: Float[np.ndarray, " s"]
    estimates: tuple[Estimate, ...]
    half_losses: Float[np.ndarray, "h p 2 t"]
    full_losses: Float[np.ndarray, " t"]
    test_groups: Int[np.ndarray, " t"] | None = None


def measure_learning_curve(
    train_features: Num[np.ndarray, "n d"],
    train_targets: Num[np.ndarray, " n_targets"],
    test_features: Num[np.ndarray, "t d_test"],
    *,
    test_targets: Num[np.ndarray, " t_targets"],
    generator: np.random.Generator,
    task: Task = "classification",
    n_classes: int | None = None,
    train_groups: Int[np.ndarray, " n_groups"] | None = None,
    test_groups: Int[np.ndarray, " t_groups"] | None = None,
    n_partitions: int = 10,
    max_halvings: int = 4,
    confidence: float = 0.95,
    progress: Callable[[float], None] | None = None,
) -> LearningCurve:
    """Fit the probe on halves, quarters, ... of random partitions of the training rows and test each fit.

    The parts depend on the generator, the targets and the groups, never on the features: give every model
    a generator in the same state and their curves are paired.  ``progress`` is told the fraction done.

    The interval at size m is for the mean accuracy over training sets of m rows and over the population of
    test examples.  Its variance is that of the test examples (or groups) plus that of the pool which the parts
    are cut from, estimated from the contrast of the two halves of each partition; at the full size that is the
    delete-half jackknife (:func:`~carryover.measures.curve_intervals.pool_variance`).  Wilson's form with the
    matching effective number of examples keeps it inside [0, 1] (regression: a normal interval).

    Raises InputError for fewer than 4 rows, groups or test examples, and for shapes that do not fit.
    """
    train = check_features(train_features, "train_features")
    test = check_features(test_features, "test_features")
    _check_lengths("train", train, {"train_targets": train_targets, "train_groups": train_groups})
    _check_lengths("test", test, {"test_targets": test_targets, "test_groups": test_groups})
    if train.shape[1] != test.shape[1]:
        raise InputError(
            f"train has {train.shape[1]} features and test {test.shape[1]}: they must be the same"
        )
    if task == "classification":
        train_targets, test_targets = check_labels(train_targets), check_labels(test_targets)
        n_classes = n_classes or int(max(train_targets.max(), test_targets.max())) + 1
    codes, n_levels = _partition(
        train_targets,
        task=task,
        groups=train_groups,
        n_partitions=n_partitions,
        max_halvings=max_halvings,
        generator=generator,
    )
    scale = 1.0 if task == "classification" else float(np.var(np.concatenate([train_targets, test_targets])))
    if scale == 0:
        raise InputError("the targets are constant: there is nothing to predict")

    def losses(rows: Int[np.ndarray, " m"]) -> Float[np.ndarray, " t"]:
        scores = ridge_scores(train[rows], train_targets[rows], test, n_classes=n_classes)
        return example_losses(scores, test_targets, task=task, scale=scale)

    half_losses, sizes = _half_losses(
        losses, codes=codes, n_levels=n_levels, n_test=len(test), progress=progress
    )
    full_losses = losses(np.arange(len(train)))
    mean_losses = np.append(half_losses.mean(axis=(1, 2, 3)), full_losses.mean())
    estimates = accuracy_estimates(
        half_losses, full_losses, groups=test_groups, task=task, confidence=confidence
    )
    return LearningCurve(
        task=task,
        sizes=np.append(sizes, float(len(train))),
        accuracy=1 - mean_losses,
        estimates=estimates,
        half_losses=half_losses,
        full_losses=full_losses,
        test_groups=test_groups,
    )


def example_losses(
    scores: Float[np.ndarray, "t k"], targets: Num[np.ndarray, " t"], *, task: Task, scale: float
) -> Float[np.ndarray, " t"]:
    """0/1 errors of the highest score, or squared errors divided by ``scale``."""
    if task == "classification":
        return (scores.argmax(axis=1) != targets).astype(np.float64)
    return (scores.reshape(-1) - targets) ** 2 / scale


def _check_lengths(name: str, features: np.ndarray, columns: Mapping[str, np.ndarray | None]) -> None:
    for column, values in columns.items():
        if values is not None and len(values) != len(features):
            raise InputError(f"{name}_features has {len(features)} rows but {column} has {len(values)}")
    if len(features) < 4:
        raise InputError(f"a learning curve needs at least 4 {name} examples, got {len(features)}")


def _partition(
    targets: Num[np.ndarray, " n"],
    *,
    task: Task,
    groups: Int[np.ndarray, " n"] | None,
    n_partitions: int,
    max_halvings: int,
    generator: np.random.Generator,
) -> tuple[Int[np.ndarray, "p n"], int]:
    """Codes of the parts, and the number of levels: parts keep a row per class, 8 rows and 4 groups on average."""
    strata = targets if task == "classification" else np.zeros(len(targets), dtype=np.int64)
    n_levels = count_levels(len(targets), smallest=max(8, len(np.unique(strata))), at_most=max_halvings)
    if groups is not None:
        n_levels = min(n_levels, count_levels(len(np.unique(groups)), smallest=4))
    n_levels = max(n_levels, 1)
    if groups is not None and len(np.unique(groups)) < 4:
        raise InputError(
            f"a learning curve needs at least 4 groups in train_groups, got {len(np.unique(groups))}"
        )
    codes = balanced_partitions(
        strata, n_partitions=n_partitions, n_levels=n_levels, generator=generator, groups=groups
    )
    return codes, n_levels


def _half_losses(
    losses: Callable[[Int[np.ndarray, " m"]], Float[np.ndarray, " t"]],
    *,
    codes: Int[np.ndarray, "p n"],
    n_levels: int,
    n_test: int,
    progress: Callable[[float], None] | None,
) -> tuple[Float[np.ndarray, "h p 2 t"], Float[np.ndarray, " h"]]:
    """Losses averaged over the parts of each half, smallest parts first, and the parts' sizes."""
    result = np.zeros((n_levels, len(codes), 2, n_test))
    for p, code in enumerate(codes):
        for level in range(1, n_levels + 1):
            part_of_row = code >> (n_levels - level)
            for part in range(2**level):
                half = part >> (level - 1)
                result[n_levels - level, p, half] += losses(np.flatnonzero(part_of_row == part)) / 2 ** (
                    level - 1
                )
        if progress is not None:
            progress((p + 1) / len(codes))
    return result, codes.shape[1] / 2.0 ** np.arange(n_levels, 0, -1)
