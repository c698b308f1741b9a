"""Nearest neighbours against scikit-learn's search and a loop with ties, and in blocks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from carryover._core.errors import InputError
from carryover.measures import knn as module
from carryover.measures.knn import knn, knn_regression


def _problem(seed, n=40, d=4, n_classes=3):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, n - n_classes)])
    return rng.normal(size=(n, d)) + np.eye(max(d, n_classes))[labels][:, :d], labels


@pytest.mark.parametrize("k", [1, 4])
def test_left_out_one_by_one(k):
    features, labels = _problem(0, n_classes=2)
    correct = 0.0
    for i in range(40):
        others = np.arange(40) != i
        model = KNeighborsClassifier(k, metric="cosine").fit(features[others], labels[others])
        share = model.predict_proba(features[i : i + 1])[0]
        winners = np.flatnonzero(np.isclose(share, share.max()))
        correct += (labels[i] in winners) / len(winners)
    assert knn(features, labels, k=k).value == pytest.approx(correct / 40, abs=1e-12)


def test_regression_left_out_one_by_one():
    features, _ = _problem(1)
    targets = features[:, 0] + 0.1 * np.random.default_rng(1).normal(size=40)
    guess = np.empty(40)
    for i in range(40):
        others = np.arange(40) != i
        model = KNeighborsRegressor(5, metric="cosine").fit(features[others], targets[others])
        guess[i] = model.predict(features[i : i + 1])[0]
    expected = 1 - ((targets - guess) ** 2).sum() / ((targets - targets.mean()) ** 2).sum()
    assert knn_regression(features, targets).value == pytest.approx(expected, abs=1e-12)
    assert knn_regression(features, np.full(40, 0.1)).status == "failed"


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32), st.sampled_from([1e-8, 3.0, 1e8]), st.booleans())
def test_invariances_also_with_duplicates_and_zero_rows(seed, scale, duplicated):
    features, labels = _problem(seed)
    rng = np.random.default_rng(seed)
    if duplicated:
        features = features[rng.integers(0, 12, 40)]
        features[3] = features[9] = 0.0
    value = knn(features, labels).value
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    rows, names = rng.permutation(40), rng.permutation(3)
    assert knn(scale * features @ turn, labels).value == pytest.approx(value, abs=1e-12)
    assert knn(features[rows], names[labels[rows]]).value == pytest.approx(value, abs=1e-12)


def test_ties_are_shared():
    same = np.ones((4, 2))
    # Each example sees three equal neighbours for one place: its own class holds 1/3 of it, the other 2/3.
    assert knn(same, np.array([0, 0, 1, 1]), k=1).value == 0.0
    # With labels 0,0,0,1 the three see 2/3 of their own, the last sees none.
    assert knn(same, np.array([0, 0, 0, 1]), k=1).value == pytest.approx(3 / 4)
    # Two votes for each class: half a success.
    cross = np.array([[1.0, 0.0], [1.0, 0.1], [1.0, -0.1]])
    assert knn(cross, np.array([0, 0, 1]), k=2).value == pytest.approx((0.5 + 0.5 + 0.0) / 3)


def test_blocks_change_nothing(monkeypatch):
    features, labels = _problem(5)
    whole = knn(features, labels).value
    monkeypatch.setattr(module, "CHUNK_ENTRIES", 130)
    assert knn(features, labels).value == whole


def test_k_is_cut_to_what_there_is_and_checked():
    features, labels = _problem(6, n=4)
    assert knn(features, labels, k=50).stats["k"] == 3
    alone = knn(features[:1], labels[:1])
    assert alone.status == "failed" and "at least 2 examples" in alone.reason
    assert knn_regression(features[:1], np.ones(1)).status == "failed"
    with pytest.raises(InputError, match="k must lie in"):
        knn(features, labels, k=0)
