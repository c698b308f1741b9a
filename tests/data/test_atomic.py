"""Folders that appear whole or not at all, what a killed writer leaves, and one writer at a time."""

import errno
import subprocess
import sys

import pytest
from safetensors import SafetensorError

from carryover._core.errors import DiskFullError
from carryover.data.atomic import folder_written_whole, naming_a_full_disk, remove_partial, written_whole
from carryover.data.locking import sole_writer

FULL = (OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EDQUOT, "Disk quota exceeded"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"))  # fmt: skip


def names(folder):
    return sorted(path.name for path in folder.rglob("*"))


def test_a_folder_appears_whole_and_replaces_the_one_before(tmp_path):
    for text in ("old", "new"):
        with folder_written_whole(tmp_path / "a" / "model") as partial:
            (partial / f"{text}.txt").write_text(text)
            assert names(tmp_path / "a").count("model") == (text == "new")
    assert names(tmp_path) == ["a", "model", "new.txt"]


@pytest.mark.parametrize("error", FULL, ids=str)
@pytest.mark.parametrize("writer", [written_whole, folder_written_whole])
def test_a_full_disk_is_named_and_leaves_what_was_there(tmp_path, writer, error):
    (tmp_path / "kept.txt").write_text("old")
    with pytest.raises(DiskFullError, match=r"no space is left to write .*new"), writer(tmp_path / "new"):
        raise error
    assert names(tmp_path) == ["kept.txt"]


def test_other_errors_keep_their_names(tmp_path):
    with pytest.raises(PermissionError), naming_a_full_disk(tmp_path):
        raise PermissionError(errno.EACCES, "Permission denied")
    with pytest.raises(SafetensorError, match="header"), naming_a_full_disk(tmp_path):
        raise SafetensorError("header too large")


def test_what_a_killed_writer_left_is_removed_and_nothing_else(tmp_path):
    folder, file = folder_written_whole(tmp_path / "step-00000005"), written_whole(tmp_path / "run.json")
    with folder as partial_folder, file as partial_file:  # as a kill leaves them
        (partial_folder / "weights.safetensors").write_bytes(b"1")
        partial_file.write_text("{")
        left = [partial_folder.rename(tmp_path / partial_folder.name.replace(".step", ".other")),
                partial_file.rename(tmp_path / partial_file.name.replace(".run", ".other"))]  # fmt: skip
        partial_folder.mkdir()
        partial_file.touch()
    mine = [".hidden", "notes.partial", ".x.partial"]
    for name in mine:
        (tmp_path / name).touch()
    assert all(path.exists() for path in left)
    remove_partial(tmp_path)
    assert names(tmp_path) == sorted([*mine, "run.json", "step-00000005"])


def test_a_folder_is_held_by_one_until_it_ends_or_is_killed(tmp_path):
    with sole_writer(tmp_path) as free, sole_writer(tmp_path) as again:
        assert free and not again
    program = (
        "import sys, pathlib, time\nfrom carryover.data.locking import sole_writer\n"
        "with sole_writer(pathlib.Path(sys.argv[1])) as free:\n    print(free, flush=True)\n    time.sleep(60)"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with other:
        assert other.stdout.readline() == "True\n"
        with sole_writer(tmp_path) as free:
            assert not free
        other.kill()
        other.wait()
    with sole_writer(tmp_path) as free:
        assert free
    assert names(tmp_path) == []
