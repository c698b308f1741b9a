import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carryover._core.errors import InputError
from carryover.data.hashing import combined_hash, example_hash, id_hashes, overlap, path_hash, row_hashes


def test_example_hash_is_sha256_of_bytes_shape_and_dtype():
    array = np.arange(12, dtype=np.uint8).reshape(2, 6)
    assert example_hash(array) == hashlib.sha256(bytes(range(12)) + b"|(2, 6)||u1").hexdigest()


def test_example_hash_tells_shape_dtype_and_value_apart_and_nothing_else():
    array = np.arange(12, dtype=np.int32)
    others = [array.reshape(3, 4), array.astype(np.int64), array + 1, array.view(np.uint32)]
    assert len({example_hash(one) for one in [array, *others]}) == 5
    assert example_hash(array.astype(">i4")) == example_hash(array)
    assert example_hash(np.repeat(array, 2)[::2]) == example_hash(array)


def test_example_hash_refuses_objects():
    with pytest.raises(InputError, match=r"no stable hash"):
        example_hash(np.array([{}], dtype=object))


def test_row_hashes_use_ids_where_given():
    rows = np.zeros((2, 3), np.float32)
    assert len(set(row_hashes(rows))) == 1
    assert len(set(row_hashes(rows, np.array(["a", "b"])))) == 2
    assert id_hashes(np.array([7])) == id_hashes(np.array(["7"]))
    with pytest.raises(InputError, match=r"one entry for each of the 2 rows, got 3"):
        row_hashes(rows, np.arange(3))


def test_combined_hash_depends_on_order_boundaries_and_extras():
    hashes = {combined_hash(x) for x in (["a", "b"], ["b", "a"], ["ab"], ["a", "b", ""])}
    assert len(hashes | {combined_hash(["a", "b"], (32, 32))}) == 5


def test_path_hash_follows_content_not_place(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "x.bin").write_bytes(b"abc")
    assert path_hash(tmp_path / "one") == path_hash(tmp_path / "two")
    assert path_hash(tmp_path / "one/sub/x.bin") == hashlib.sha256(b"abc").hexdigest()
    (tmp_path / "two/sub/x.bin").rename(tmp_path / "two/sub/y.bin")
    assert path_hash(tmp_path / "one") != path_hash(tmp_path / "two")
    with pytest.raises(InputError, match=r"does not exist"):
        path_hash(tmp_path / "three")


@given(st.lists(st.integers(0, 8).map(str)), st.lists(st.integers(0, 8).map(str)))
def test_overlap_counts_as_sets_do(a, b):
    found = overlap(a, b, n_examples=3)
    shared = set(a) & set(b)
    assert found.n_shared == len(shared)
    assert found.n_rows_a == sum(x in shared for x in a)
    assert found.n_rows_b == sum(x in shared for x in b)
    assert len(found.pairs) == min(3, len(shared))
    assert all(a[i] == b[j] for i, j in found.pairs)


def test_overlap_in_words():
    assert overlap(["x"], ["y"]).sentence("train", "test") == "train and test share no example."
    text = overlap(["x", "y"], ["y"]).sentence("train", "test")
    assert text.startswith(
        "train and test share 1 identical example (1 rows of train, 1 of test; row 1 = row 0)"
    )
