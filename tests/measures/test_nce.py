"""NCE against scikit-learn's mutual information."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy
from sklearn.metrics import mutual_info_score

from carryover._core.errors import InputError
from carryover.measures.nce import nce, nce_from_counts


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32))
def test_mutual_information_less_entropy(seed):
    rng = np.random.default_rng(seed)
    labels, source = rng.integers(0, 4, 50), 2 * rng.integers(0, 5, 50) + 1
    expected = mutual_info_score(labels, source) - entropy(np.bincount(labels))
    value = nce(source, labels).value
    assert value == pytest.approx(expected, abs=1e-12)
    rows = rng.permutation(50)
    assert nce(rng.permutation(11)[source[rows]], rng.permutation(4)[labels[rows]]).value == pytest.approx(
        value
    )


def test_tables_of_shards_add():
    rng = np.random.default_rng(0)
    labels, source = rng.integers(0, 3, 60), rng.integers(0, 5, 60)
    counts = np.zeros((2, 3, 6))
    np.add.at(counts, (np.arange(60) % 2, labels, source), 1)
    assert nce_from_counts(counts.sum(axis=0)).value == pytest.approx(nce(source, labels).value, abs=1e-12)


def test_limits_and_message():
    labels = np.array([0, 0, 1, 2])
    assert nce(labels, labels).value == 0.0
    assert nce(np.zeros(4, dtype=int), labels).value == pytest.approx(-entropy([2, 1, 1]))
    with pytest.raises(InputError, match="source_labels must be >= 0"):
        nce(np.array([0, -1, 1, 1]), labels)
