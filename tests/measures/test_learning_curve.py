"""The learning curve against brute force, a known pool variance, and its refusals."""

import numpy as np
import pytest

from carryover._core.errors import InputError
from carryover.measures.curve_intervals import accuracy_estimate, pool_variance, variance_of_mean
from carryover.measures.learning_curve import LearningCurve, measure_learning_curve
from carryover.measures.partitions import balanced_partitions
from carryover.measures.ridge import fit_ridge_path
from carryover.measures.ridge_scores import ridge_scores


def classes(n: int, seed: int, d: int = 6) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.arange(n) % 3)
    return 1.5 * np.eye(3, d)[labels] + generator.standard_normal((n, d)), labels


def curve_of(n: int = 64, seed: int = 0, **options: object) -> LearningCurve:
    train, test = classes(n, seed), classes(50, seed + 1)
    options = {"generator": np.random.default_rng(5), **options}
    return measure_learning_curve(*train, test[0], test_targets=test[1], **options)


@pytest.mark.parametrize(("n", "d"), [(40, 5), (12, 30), (20, 20)])
def test_lean_scores_equal_the_ridge_path(n: int, d: int) -> None:
    features, labels = classes(n, 0, d)
    test = classes(9, 1, d)[0]
    lean = ridge_scores(features, labels, test, n_classes=3)
    np.testing.assert_allclose(
        lean, fit_ridge_path(features, labels, n_classes=3).predict_scores(test), atol=1e-9
    )
    values = features[:, 0] + 0.1 * np.arange(n)
    lean = ridge_scores(features, values, test, n_classes=None)
    np.testing.assert_allclose(
        lean,
        fit_ridge_path(features, values, task="regression").predict_scores(test).reshape(-1, 1),
        atol=1e-9,
    )


def test_losses_are_those_of_fits_on_the_parts() -> None:
    (train, labels), (test, test_labels) = classes(64, 0), classes(50, 1)
    curve = curve_of(n_partitions=2)
    codes = balanced_partitions(labels, n_partitions=2, n_levels=3, generator=np.random.default_rng(5))
    np.testing.assert_array_equal(curve.sizes, [8, 16, 32, 64])

    def wrong(rows: np.ndarray) -> np.ndarray:
        scores = fit_ridge_path(train[rows], labels[rows], n_classes=3).predict_scores(test)
        return (scores.argmax(axis=1) != test_labels).astype(float)

    np.testing.assert_array_equal(curve.full_losses, wrong(np.arange(64)))
    quarters = [wrong(np.flatnonzero(codes[1] >> 1 == part)) for part in range(4)]
    np.testing.assert_allclose(curve.half_losses[1, 1, 0], (quarters[0] + quarters[1]) / 2)
    np.testing.assert_allclose(curve.half_losses[1, 1, 1], (quarters[2] + quarters[3]) / 2)
    assert curve.accuracy[-1] == curve.estimates[-1].value == 1 - curve.full_losses.mean()


def test_parts_do_not_depend_on_the_features() -> None:
    features, labels = classes(64, 0)
    test, test_labels = classes(50, 1)
    curves = [
        measure_learning_curve(
            scale * features,
            labels,
            scale * test,
            test_targets=test_labels,
            generator=np.random.default_rng(2),
        )
        for scale in (1.0, 8.0)
    ]
    np.testing.assert_array_equal(curves[0].half_losses, curves[1].half_losses)


def test_regression_is_r2() -> None:
    generator = np.random.default_rng(0)
    features = generator.standard_normal((160, 4))
    targets = features @ np.array([1.0, 2.0, 0.0, 0.0]) + 0.5 * generator.standard_normal(160)
    curve = measure_learning_curve(
        features[:80],
        targets[:80],
        features[80:],
        test_targets=targets[80:],
        generator=generator,
        task="regression",
    )
    assert abs(curve.accuracy[-1] - (1 - 0.25 / 5.25)) < 0.03
    assert curve.estimates[-1].interval[0] < curve.accuracy[-1] < curve.estimates[-1].interval[1]


def test_groups_are_parted_and_resampled_whole() -> None:
    train_groups, test_groups = np.repeat(np.arange(16), 4), np.repeat(np.arange(10), 5)
    curve = curve_of(train_groups=train_groups, test_groups=test_groups)
    np.testing.assert_array_equal(curve.sizes, [16, 32, 64])
    assert curve.estimates[-1].ok


def test_progress_ends_at_one() -> None:
    told: list[float] = []
    curve_of(progress=told.append, n_partitions=4)
    assert told == [0.25, 0.5, 0.75, 1.0]


def test_pool_variance_is_that_of_the_pool() -> None:
    """Losses additive in the rows, plus noise of each example and fit: the pool's variance is v / N."""
    generator = np.random.default_rng(0)
    n, t, n_partitions, found = 64, 200, 10, []
    for _ in range(200):
        effects = generator.standard_normal(n)
        halves = np.empty((n_partitions, 2, t))
        for p in range(n_partitions):
            order = generator.permutation(n)
            for half, rows in enumerate((order[: n // 2], order[n // 2 :])):
                halves[p, half] = effects[rows].mean() + 0.5 * generator.standard_normal(t)
        found.append(pool_variance(halves)[0])
    assert abs(np.mean(found) * n - 1) < 0.15


def test_variance_of_a_mean_by_groups() -> None:
    values, groups = np.array([1.0, 1.0, 0.0, 0.0, 1.0, 0.0]), np.array([7, 7, 3, 3, 9, 9])
    sums = np.array([1.0, -1.0, 0.0])
    assert np.isclose(variance_of_mean(values, groups=groups), (sums**2).sum() / 36 * 3 / 2)
    assert np.isclose(variance_of_mean(values), values.var(ddof=1) / 6)


def test_no_errors_still_leave_room() -> None:
    estimate = accuracy_estimate(np.zeros(100), 0.0, task="classification", confidence=0.95)
    assert estimate.value == 1 and estimate.interval[1] == 1
    assert np.isclose(estimate.interval[0], 1 - 1.96**2 / (100 + 1.96**2), atol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_features": np.zeros((3, 2))}, "train_features has 3 rows but train_targets has 8"),
        ({"test_features": np.zeros((5, 3))}, "train has 2 features and test 3"),
        (
            {"test_features": np.zeros((2, 2)), "test_targets": np.array([0, 1])},
            "at least 4 test examples, got 2",
        ),
        ({"test_groups": np.zeros(4, dtype=int)}, "test_features has 5 rows but test_groups has 4"),
        ({"train_groups": np.array([0, 0, 0, 0, 1, 1, 1, 1])}, "at least 4 groups in train_groups, got 2"),
    ],
)
def test_refusals(change: dict, message: str) -> None:
    arguments = {
        "train_features": np.random.default_rng(0).standard_normal((8, 2)),
        "train_targets": np.arange(8) % 2,
        "test_features": np.ones((5, 2)),
        "test_targets": np.arange(5) % 2,
        "generator": np.random.default_rng(0),
        **change,
    }
    with pytest.raises(InputError, match=message):
        measure_learning_curve(**arguments)


def test_constant_regression_targets_are_refused() -> None:
    with pytest.raises(InputError, match="the targets are constant"):
        measure_learning_curve(
            np.random.default_rng(0).standard_normal((8, 2)),
            np.ones(8),
            np.ones((5, 2)),
            test_targets=np.ones(5),
            task="regression",
            generator=np.random.default_rng(0),
        )
