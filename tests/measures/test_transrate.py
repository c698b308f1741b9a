"""TransRate against log determinants written out, and its invariances."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carryover._core.errors import InputError
from carryover.measures.transrate import coding_rate, transrate


def _problem(seed, n=30, d=5):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(4), rng.choice(4, n - 4, p=[0.6, 0.2, 0.1, 0.1])])
    return rng.normal(size=(n, d)) * np.arange(1, d + 1) + labels[:, None], labels


def _reference(features, labels, distortion=1e-4):
    z = features - features.mean(axis=0)
    z = z / np.sqrt((z**2).mean())

    def rate(rows):
        return 0.5 * np.linalg.slogdet(np.eye(z.shape[1]) + rows.T @ rows / (len(rows) * distortion))[1]

    classes = np.unique(labels)
    return rate(z) - sum((labels == c).mean() * rate(z[labels == c]) for c in classes)


@pytest.mark.parametrize("shape", [(30, 5), (30, 29), (12, 40)])
def test_written_out(shape):
    features, labels = _problem(0, *shape)
    assert transrate(features, labels).value == pytest.approx(_reference(features, labels), rel=1e-9)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32), st.sampled_from([1e-8, 3.0, 1e8]))
def test_invariances(seed, scale):
    features, labels = _problem(seed)
    rng = np.random.default_rng(seed)
    value = transrate(features, labels).value
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    rows, names = rng.permutation(30), rng.permutation(4)
    assert transrate(scale * features @ turn + 7 * scale, labels).value == pytest.approx(value, rel=1e-8)
    assert transrate(features[rows], names[labels[rows]]).value == pytest.approx(value, rel=1e-9)
    assert value >= 0


def test_both_sides_of_the_gram_matrix_agree():
    rows = np.random.default_rng(1).normal(size=(6, 6))
    wide = np.column_stack([rows, np.zeros((6, 3))])
    assert coding_rate(wide) == pytest.approx(coding_rate(rows), rel=1e-12)


def test_unbalanced_classes_that_tell_nothing_score_zero():
    rows = np.random.default_rng(2).normal(size=(8, 3))
    features, labels = np.concatenate([rows, rows, rows]), np.repeat([0, 1, 1], 8)
    assert transrate(features, labels).value == pytest.approx(0, abs=1e-9)


def test_constant_features_fail_with_a_reason():
    result = transrate(np.full((6, 3), 1e8), np.array([0, 0, 0, 1, 1, 1]))
    assert result.status == "failed" and "no feature varies" in result.reason
    with pytest.raises(InputError, match="distortion must lie in"):
        transrate(*_problem(0), distortion=0.0)
