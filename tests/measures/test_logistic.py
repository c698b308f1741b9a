"""The logistic probe against scikit-learn at the same penalty, at any scale, and where it cannot be fitted."""

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from carryover._core.errors import InputError
from carryover.measures.logistic import _folds, fit_logistic_probe


def _task(n: int, d: int, *, n_classes: int = 3, signal: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(n + d)
    labels = np.arange(n) % n_classes
    means = signal * generator.normal(size=(n_classes, d))
    mixing = generator.normal(size=(d, d)) / np.sqrt(d)
    return (means[labels] + generator.normal(size=(n, d))) @ mixing + 3.0, labels


def _fit(features, labels, **options):
    return fit_logistic_probe(features, labels, generator=np.random.default_rng(0), **options)


@pytest.mark.parametrize(("n", "d", "n_classes"), [(200, 12, 3), (60, 150, 4), (80, 10, 2)])
def test_probabilities_are_those_of_scikit_learn(n, d, n_classes):
    features, labels = _task(n, d, n_classes=n_classes)
    probe = _fit(features, labels)
    standard = (features - features.mean(axis=0)) / features.std(axis=0)
    # For two classes the symmetric pair of weights carries half the penalty of their difference.
    strength = probe.penalty * (0.5 if n_classes == 2 else 1.0)
    oracle = LogisticRegression(C=1 / strength, tol=1e-10, max_iter=20_000).fit(standard, labels)
    assert probe.converged
    np.testing.assert_allclose(
        probe.predict_probabilities(features), oracle.predict_proba(standard), atol=2e-4
    )


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_scale_and_offset_change_nothing(scale):
    features, labels = _task(120, 20)
    expected = _fit(features, labels).predict_probabilities(features)
    moved = (features + 10.0) * scale
    np.testing.assert_allclose(_fit(moved, labels).predict_probabilities(moved), expected, atol=1e-6)


def test_penalty_follows_the_signal():
    generator = np.random.default_rng(5)
    noise = _fit(generator.normal(size=(150, 30)), np.arange(150) % 3)
    features, labels = _task(150, 30, signal=2.0)
    clear = _fit(features, labels)
    assert noise.penalty >= 1000.0 > clear.penalty
    assert min(noise.cv_log_loss) == pytest.approx(np.log(3), abs=0.05)


def test_constant_and_duplicated_columns_are_fine():
    features, labels = _task(100, 8)
    padded = np.hstack([features, np.full((100, 2), 0.1), features[:, :1]])
    probe = _fit(padded, labels)
    assert np.array_equal(probe.coefficients[8:10], np.zeros((2, 3)))
    log_probabilities = log_softmax(probe.predict_scores(padded), axis=1)
    assert -log_probabilities[np.arange(100), labels].mean() < 0.5


def test_folds_keep_groups_whole_and_never_hold_out_a_single_example():
    labels = np.array([0] * 20 + [1] * 20 + [2])
    groups = np.arange(41) // 2
    parts = _folds(labels, groups, np.random.default_rng(0))
    assert len(parts) >= 2
    for train, validation in parts:
        assert not set(groups[train]) & set(groups[validation])
        assert train[40]


@pytest.mark.parametrize(
    ("features", "labels", "reason"),
    [
        (np.ones((20, 3)), np.arange(20) % 2, "every feature is constant"),
        (np.eye(20), np.zeros(20, dtype=int), "every example has the same label"),
        (np.eye(3), np.arange(3), "no class has two examples"),
    ],
)
def test_failure_is_a_value(features, labels, reason):
    probe = _fit(features, labels)
    assert probe.status == "failed"
    assert reason in probe.reason
    shares = np.bincount(labels) / len(labels)
    np.testing.assert_allclose(probe.predict_probabilities(features), np.tile(shares, (len(labels), 1)))


def test_misuse_is_named():
    features, labels = _task(30, 4)
    with pytest.raises(InputError, match="class 1 is missing"):
        _fit(features, labels * 2)
    with pytest.raises(InputError, match="groups must name one group for each of the 30"):
        _fit(features, labels, groups=[1, 2])
    with pytest.raises(InputError, match="features must have 4 columns, got 3"):
        _fit(features, labels).predict_scores(features[:, :3])
