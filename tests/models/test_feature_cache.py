"""Atomic writing and keys."""

import errno

import pytest

from carryover._core.errors import DiskFullError
from carryover.models.feature_cache import FeatureCache, cache_key, write_atomically


def test_a_key_depends_on_values_and_not_on_order():
    assert cache_key({"a": 1, "b": [2.5]}) == cache_key({"b": [2.5], "a": 1})
    assert cache_key({"a": 1}) != cache_key({"a": 2}) != cache_key({"b": 2})


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("x"), OSError(errno.ENOSPC, "full")])
def test_a_failed_write_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "file"
    write_atomically(path, lambda file: file.write(b"old"))

    def fail(file):
        file.write(b"half of the ne")
        raise error

    expected = DiskFullError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected):
        write_atomically(path, fail)
    assert path.read_bytes() == b"old" and [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_cannot_be_made_on_a_full_disk(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.mkdir", full)
    with pytest.raises(DiskFullError, match="no space left on the disk for the cache folder"):
        FeatureCache(tmp_path / "cache", "0" * 64).open(overwrite=False)
