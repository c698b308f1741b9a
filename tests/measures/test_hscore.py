"""The shrunk H-score against scikit-learn's Ledoit-Wolf covariance, inverted by brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import LedoitWolf

from carryover._core.errors import InputError
from carryover.measures.hscore import h_score, h_score_from_moments
from carryover.measures.moments import FeatureMoments


def _task(n: int, d: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng([seed, n, d])
    labels = generator.permutation(np.arange(n) % 3)
    features = generator.normal(size=(n, d)) * np.logspace(0, 0.5, d) + 3.0
    features[:, 0] += labels
    return features, labels


def _brute_force(features: np.ndarray, labels: np.ndarray) -> float:
    fitted = LedoitWolf().fit(features)
    means = np.array([features[labels == k].mean(axis=0) for k in range(labels.max() + 1)])[labels]
    between = np.cov(means.T, bias=True).reshape(features.shape[1], -1)
    return (1 - fitted.shrinkage_) * np.trace(np.linalg.solve(fitted.covariance_, between))


@pytest.mark.parametrize(("n", "d"), [(80, 5), (30, 29), (30, 30), (20, 60), (40, 1)])
def test_is_the_definition_with_scikit_learn_covariance(n, d):
    features, labels = _task(n, d)
    assert h_score(features, labels).value == pytest.approx(_brute_force(features, labels), rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    shape=st.sampled_from([(40, 7), (18, 40)]),
    scale=st.sampled_from([1e-8, 0.3, 1e8]),
    offset=st.floats(-100, 100),
)
def test_invariances(seed, shape, scale, offset):
    features, labels = _task(*shape, seed=seed)
    generator = np.random.default_rng(seed)
    rotation = np.linalg.qr(generator.normal(size=(shape[1], shape[1])))[0]
    order, names = generator.permutation(shape[0]), generator.permutation(3)
    moved = h_score((scale * (features @ rotation + offset))[order], names[labels[order]])
    assert moved.value == pytest.approx(h_score(features, labels).value, rel=1e-7)


@pytest.mark.parametrize(("n", "d"), [(60, 8), (15, 24)])
def test_moments_of_shards_give_the_same(n, d):
    features, labels = _task(n, d)
    parts = FeatureMoments.from_rows(features[:9], labels[:9], 3).merge(
        FeatureMoments.from_rows(features[9:], labels[9:], 3)
    )
    assert h_score_from_moments(parts).value == pytest.approx(h_score(features, labels).value, rel=1e-9)


def test_constant_columns_add_nothing_but_dimension():
    features, labels = _task(50, 6)
    padded = np.hstack([features, np.full((50, 2), 0.1)])
    assert h_score(padded, labels).value == pytest.approx(_brute_force(padded, labels), rel=1e-9)


def test_failure_and_misuse():
    assert "every feature is constant" in h_score(np.ones((6, 2)), np.arange(6) % 2).reason
    assert "same label" in h_score(np.eye(4), np.zeros(4, dtype=int)).reason
    with pytest.raises(InputError, match="not defined for real-valued targets"):
        h_score(np.eye(4), np.arange(4.0))
