"""LEEP against double loops; what shards give, the whole gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from carryover._core.errors import InputError
from carryover.measures.leep import LeepTable, leep


def _problem(seed, n=40, n_source=6, n_classes=3):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, n - n_classes)])
    return softmax(2 * rng.normal(size=(n, n_source)), axis=1), labels


def _reference(theta, labels):
    n, n_source = theta.shape
    joint = np.zeros((labels.max() + 1, n_source))
    for i in range(n):
        for z in range(n_source):
            joint[labels[i], z] += theta[i, z] / n
    total = 0.0
    for i in range(n):
        total += np.log(sum(joint[labels[i], z] / joint[:, z].sum() * theta[i, z] for z in range(n_source)))
    return total / n


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32))
def test_double_loop_and_permutations(seed):
    theta, labels = _problem(seed)
    rng = np.random.default_rng(seed)
    value = leep(theta, labels).value
    assert value == pytest.approx(_reference(theta, labels), abs=1e-12)
    assert value < 0
    rows, names, sources = rng.permutation(40), rng.permutation(3), rng.permutation(6)
    assert leep(theta[rows][:, sources], names[labels[rows]]).value == pytest.approx(value, abs=1e-12)


def test_never_predicted_source_class_and_single_example_class():
    theta, labels = _problem(0)
    labels[labels == 2] = 0
    labels[5] = 2
    padded = np.column_stack([theta, np.zeros(40)])
    assert leep(padded, labels).value == leep(theta, labels).value
    assert np.isfinite(leep(np.eye(4)[np.zeros(40, dtype=int)], labels).value)


def test_a_constant_head_gives_the_label_entropy():
    _, labels = _problem(1)
    share = np.bincount(labels) / 40
    constant = np.full((40, 5), 0.2)
    assert leep(constant, labels).value == pytest.approx(float((share * np.log(share)).sum()), abs=1e-12)


def test_merged_is_whole():
    theta, labels = _problem(2)
    shards = [
        LeepTable.from_rows(theta[a:b], labels[a:b], n_classes=3) for a, b in [(0, 3), (3, 17), (17, 40)]
    ]
    merged = shards[0].merge(shards[1]).merge(shards[2])
    assert merged.n == 40
    np.testing.assert_allclose(merged.sums, LeepTable.from_rows(theta, labels).sums, rtol=1e-13)
    logs = np.concatenate(
        [merged.log_likelihoods(theta[:9], labels[:9]), merged.log_likelihoods(theta[9:], labels[9:])]
    )
    assert logs.mean() == pytest.approx(leep(theta, labels).value, abs=1e-12)


def test_messages():
    theta, labels = _problem(3)
    with pytest.raises(InputError, match="softmax of the source head, not its logits"):
        leep(theta * 2, labels)
    with pytest.raises(InputError, match="source_probabilities must be >= 0"):
        leep(theta - 0.5, labels)
    with pytest.raises(InputError, match="labels must be < n_classes = 2"):
        LeepTable.from_rows(theta, labels, n_classes=2)
    small = LeepTable.from_rows(theta[:, :4] / theta[:, :4].sum(axis=1, keepdims=True), labels)
    with pytest.raises(InputError, match="give every shard the same n_classes"):
        small.merge(LeepTable.from_rows(theta, labels))
