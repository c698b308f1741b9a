"""Partitions are balanced in size and in strata at every level, and keep groups whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carryover._core.errors import InputError
from carryover.measures.partitions import balanced_partitions, count_levels


@given(
    counts=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    n_levels=st.integers(0, 4),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_parts_differ_by_one_row_and_strata_are_spread(counts: list[int], n_levels: int, seed: int) -> None:
    strata = np.repeat(np.arange(len(counts)), counts)
    codes = balanced_partitions(
        strata, n_partitions=3, n_levels=n_levels, generator=np.random.default_rng(seed)
    )
    for code in codes:
        for level in range(n_levels + 1):
            part = code >> (n_levels - level)
            sizes = np.bincount(part, minlength=2**level)
            assert sizes.sum() == len(strata) and np.ptp(sizes) <= 1
            for stratum in range(len(counts)):
                assert np.ptp(np.bincount(part[strata == stratum], minlength=2**level)) <= 2


def test_groups_stay_whole() -> None:
    generator = np.random.default_rng(0)
    groups = generator.integers(0, 20, 200)
    codes = balanced_partitions(
        generator.integers(0, 3, 200), n_partitions=5, n_levels=2, generator=generator, groups=groups
    )
    for code in codes:
        assert all(len(np.unique(code[groups == group])) == 1 for group in np.unique(groups))
        assert len(np.unique(code)) == 4


def test_every_row_is_as_likely_in_either_half() -> None:
    codes = balanced_partitions(
        np.zeros(7, dtype=np.int64), n_partitions=4000, n_levels=1, generator=np.random.default_rng(1)
    )
    assert abs(codes.mean(axis=0) - 3 / 7).max() < 4 * (0.25 / 4000) ** 0.5


def test_too_few_partitions_are_refused() -> None:
    with pytest.raises(InputError, match="n_partitions must be >= 1 and n_levels >= 0, got 0 and 1"):
        balanced_partitions(
            np.zeros(4, dtype=np.int64), n_partitions=0, n_levels=1, generator=np.random.default_rng()
        )


def test_levels_stop_at_the_smallest_part_and_at_the_limit() -> None:
    assert count_levels(1000, smallest=10) == 4
    assert count_levels(1000, smallest=10, at_most=9) == 6
    assert count_levels(7, smallest=8) == 0
