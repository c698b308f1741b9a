"""Tuples drawn without using a row twice: of the right classes, at the right rate, said where rows run out."""

import numpy as np
import pytest
from scipy.stats import binom

from carryover._core.errors import InputError
from carryover.bounds.contrastive_tuples import disjoint_tuples


def _draw(labels, shares, *, block=1, seed=0):
    return disjoint_tuples(
        labels, class_shares=np.asarray(shares), block=block, generator=np.random.default_rng(seed)
    )


@pytest.mark.parametrize("block", [1, 2, 5])
def test_no_row_is_used_twice_and_classes_are_as_they_should_be(block):
    labels = np.random.default_rng(0).integers(0, 4, 4000)
    found = _draw(labels, np.bincount(labels) / 4000, block=block)
    kept = found.filled
    assert len(found.anchors) == int(0.6 * 4000 / (1 + 2 * block)) and kept.mean() > 0.99
    rows = np.column_stack([found.anchors[:, None], found.positives, found.negatives])[kept]
    assert rows.shape[1] == 1 + 2 * block and len(np.unique(rows)) == rows.size
    own = labels[found.anchors]
    assert (labels[found.positives] == own[:, None])[kept].all()
    other = labels[found.negatives]
    assert (other == other[:, :1])[kept].all()
    assert np.array_equal((other[:, 0] == own)[kept], found.collided[kept])


def test_collisions_come_up_as_often_as_two_classes_agree():
    shares = np.array([0.5, 0.3, 0.2])
    labels = np.random.default_rng(1).choice(3, 30_000, p=shares)
    found = _draw(labels, shares)
    low, high = binom.interval(0.999, len(found.collided), (shares**2).sum())
    assert low <= found.collided.sum() <= high


def test_a_class_that_runs_out_leaves_its_tuples_unfilled():
    labels = np.r_[np.zeros(5, int), np.ones(395, int)]
    found = _draw(labels, [0.5, 0.5])
    assert not found.filled.all()
    touched = np.r_[found.anchors, found.positives[:, 0], found.negatives[:, 0]][np.tile(found.filled, 3)]
    assert (labels[touched] == 0).sum() <= 5
    assert not found.anchors[~found.filled].any()


def test_bad_input_is_refused():
    labels = np.arange(20) % 2
    with pytest.raises(InputError, match="block must be at least 1, got 0"):
        _draw(labels, [0.5, 0.5], block=0)
    with pytest.raises(InputError, match="codes of the 1 classes with a share, got 1"):
        _draw(labels, [1.0])
    with pytest.raises(InputError, match="make no tuple with blocks of 9"):
        _draw(labels, [0.5, 0.5], block=9)
