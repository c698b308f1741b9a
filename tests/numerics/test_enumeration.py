"""Numbering of sequences: order by brute force, and inverses at sizes that brute force cannot reach."""

import itertools
from collections import Counter

import numpy as np
import pytest

from carryover.numerics.enumeration import (
    arrangement_at,
    arrangement_count,
    arrangement_number,
    composition_at,
    composition_count,
    composition_number,
)


@pytest.mark.parametrize("counts", [[3], [2, 0, 3], [1, 1, 1, 2], [0, 4, 1]])
def test_arrangements_are_numbered_in_lexicographic_order(counts):
    letters = [symbol for symbol, count in enumerate(counts) for _ in range(count)]
    all_of_them = sorted(set(itertools.permutations(letters)))
    assert arrangement_count(counts) == len(all_of_them)
    assert [arrangement_number(one, counts) for one in all_of_them] == list(range(len(all_of_them)))
    assert [tuple(arrangement_at(at, counts)) for at in range(len(all_of_them))] == all_of_them


@pytest.mark.parametrize(("total", "n_parts"), [(0, 3), (5, 1), (4, 3), (3, 5)])
def test_compositions_are_numbered_in_lexicographic_order(total, n_parts):
    all_of_them = [
        parts for parts in itertools.product(range(total + 1), repeat=n_parts) if sum(parts) == total
    ]
    assert composition_count(total, n_parts) == len(all_of_them)
    assert [composition_number(one) for one in all_of_them] == list(range(len(all_of_them)))
    assert [tuple(composition_at(at, total, n_parts)) for at in range(len(all_of_them))] == all_of_them


def test_long_sequences_come_back():
    sequence = np.random.default_rng(0).binomial(8, 0.5, 700).tolist()
    counts = [Counter(sequence)[symbol] for symbol in range(9)]
    assert arrangement_at(arrangement_number(sequence, counts), counts) == sequence
    assert composition_at(composition_number(counts), 700, 9) == counts
