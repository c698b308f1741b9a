"""Cells that leave folders: what is in them, and whose turn it is."""

import errno
import json
import subprocess
import sys
import threading

from sweep_examples import half, numbered

from carryover.experiments import worker
from carryover.experiments.compute import Compute
from carryover.experiments.store import open_store
from carryover.experiments.sweep import run_sweep


def leave_file(spec, folder):
    (folder / "array.txt").write_text(str(spec))
    return half(spec, folder)


def test_cells_with_folders_leave_spec_row_environment_and_a_mark(tmp_path):
    store = open_store(tmp_path / "x", command="pretrain")
    run_sweep(numbered(2), Compute(leave_file, leaves_folder=True), store, backend="sequential")
    done, failed = (sorted(path.name for path in store.run_folder(f"000{n}").iterdir()) for n in (0, 1))
    assert done == ["array.txt", "done", "environment.json", "lock", "row.json", "spec.json"]
    assert failed == ["array.txt", "environment.json", "lock", "row.json", "spec.json"]
    environment = json.loads((store.run_folder("0000") / "environment.json").read_text())
    assert environment["threads"] == 1 and environment["numpy"] and environment["python"]


def test_a_cell_that_was_done_but_not_written_down_is_not_done_again(tmp_path):
    store = open_store(tmp_path / "x", command="pretrain")
    run_sweep(numbered(1), Compute(leave_file, leaves_folder=True), store, backend="sequential")
    before = store.read().table
    for path in (store.folder / "rows").iterdir():
        path.unlink()

    def never(spec, folder):
        raise AssertionError("computed again")

    run_sweep(numbered(1), Compute(never, leaves_folder=True), store, backend="sequential")
    assert store.read().table.equals(before)


def test_a_cell_that_another_holds_is_waited_for(tmp_path):
    store = open_store(tmp_path / "x", command="pretrain")
    folder = store.run_folder("0000")
    folder.mkdir(parents=True)
    code = (
        "import fcntl, sys; file = open(sys.argv[1], 'a'); fcntl.flock(file, fcntl.LOCK_EX); "
        "print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(folder / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        timer = threading.Timer(1.0, holder.stdin.close)
        timer.start()
        found = run_sweep(numbered(1), Compute(leave_file, leaves_folder=True), store, backend="sequential")
        holder.wait()
    assert (found.n_computed, found.n_failed) == (1, 0) and (folder / "done").exists()


def test_a_disk_without_locks_computes_all_the_same(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(worker.fcntl, "flock", no_locks)
    store = open_store(tmp_path / "x", command="pretrain")
    found = run_sweep(numbered(2), Compute(leave_file, leaves_folder=True), store, backend="sequential")
    assert found.n_computed == 2 and (store.run_folder("0000") / "done").exists()
