"""Hashes of many examples in one file: written, read, searched, and refused when they are something else."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from carryover._core.errors import InputError
from carryover.data.hash_tables import load_hash_tables, rows_in_table, save_hash_tables
from carryover.data.hashing import example_hash

HASHES = [example_hash(np.array([number])) for number in range(40)]


def test_hashes_come_back_in_their_order_at_32_bytes_each(tmp_path):
    save_hash_tables(tmp_path / "h", {"train": HASHES, "nothing": []})
    tables = load_hash_tables(tmp_path / "h")
    assert [row.tobytes().hex() for row in tables["train"]] == HASHES
    assert tables["nothing"].shape == (0, 32)
    assert (tmp_path / "h").stat().st_size < 40 * 32 + 300


def test_shared_rows_are_those_that_a_plain_search_finds(tmp_path):
    save_hash_tables(tmp_path / "h", {"pool": HASHES[10:20]})
    asked = [HASHES[30], HASHES[19], HASHES[10], HASHES[9], HASHES[10]]
    expected = [place for place, one in enumerate(asked) if one in HASHES[10:20]]
    assert rows_in_table(asked, load_hash_tables(tmp_path / "h")["pool"]).tolist() == expected == [1, 2, 4]
    assert len(rows_in_table(asked, np.zeros((0, 32), dtype=np.uint8))) == 0


def test_what_is_no_table_of_hashes_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read as hashes"):
        load_hash_tables(tmp_path / "missing")
    (tmp_path / "text").write_text("hashes")
    with pytest.raises(InputError, match="cannot be read as hashes"):
        load_hash_tables(tmp_path / "text")
    save_file({"train": np.zeros((3, 16), dtype=np.uint8)}, tmp_path / "short")
    with pytest.raises(InputError, match=r"'train' must be uint8 \(n, 32\), got uint8 \(3, 16\)"):
        load_hash_tables(tmp_path / "short")
