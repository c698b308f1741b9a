"""Reading features in blocks equals reading them whole, without holding them whole."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carryover._core.errors import InputError
from carryover.models.feature_array import FeatureArray, Shard


def make_array(folder, sizes, width=3, seed=0):
    generator = np.random.default_rng(seed)
    parts, shards, start = [], [], 0
    for number, size in enumerate(sizes):
        part = generator.standard_normal((size, width)).astype(np.float32)
        np.save(folder / f"{number}.npy", part)
        shards.append(Shard(folder / f"{number}.npy", start, size))
        parts.append(part)
        start += size
    return FeatureArray(tuple(shards), (start, width)), np.concatenate(parts)


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5), rows=st.integers(1, 30), data=st.data())
def test_blocks_and_take_equal_the_whole(tmp_path_factory, sizes, rows, data):
    array, whole = make_array(tmp_path_factory.mktemp("shards"), sizes)
    assert np.array_equal(array.all(), whole) and array.shape == whole.shape and len(array) == len(whole)
    blocks = list(array.blocks(rows))
    assert [start for start, _ in blocks] == list(range(0, len(whole), rows))
    assert all(len(block) == rows for _, block in blocks[:-1])
    assert np.array_equal(np.concatenate([block for _, block in blocks]), whole)
    indices = np.array(data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=20)), dtype=int)
    assert np.array_equal(array.take(indices), whole[indices])


def test_blocks_hold_a_few_shards_at_most(tmp_path):
    array, whole = make_array(tmp_path, [1000] * 40, width=64)
    n_bytes = whole.nbytes
    del whole
    tracemalloc.start()
    total = sum(float(block.sum()) for _, block in array.blocks(1500))
    array.take(np.arange(0, 40_000, 400))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert np.isfinite(total) and peak < n_bytes / 6


def test_misuse_is_refused(tmp_path):
    array, _ = make_array(tmp_path, [4, 3])
    with pytest.raises(InputError, match="rows must be at least 1, got 0"):
        next(array.blocks(0))
    with pytest.raises(InputError, match=r"indices must lie in \[0, 6\], got -1 to 2"):
        array.take(np.array([-1, 2]))
    with pytest.raises(InputError, match="indices must be a vector of integers"):
        array.take(np.array([0.5]))
