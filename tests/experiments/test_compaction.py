"""Small segments are put together when the last driver leaves, and no row is lost whoever looks on."""

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from carryover._core.errors import InputError
from carryover.experiments import compaction
from carryover.experiments.compaction import LOCK, compact
from carryover.experiments.compute import Cell, Compute
from carryover.experiments.rows import as_columns
from carryover.experiments.store import ROWS, Store, open_store
from carryover.experiments.sweep import run_sweep

MANY = 14


@pytest.fixture(autouse=True)
def _few_are_many(monkeypatch):
    monkeypatch.setattr(compaction, "MANY_SEGMENTS", 10)


def odd_fails(spec, folder):
    if spec % 2:
        raise InputError("odd")
    return {"half": spec / 2, "name": None if spec else "zero"}


def cells(n=MANY):
    return [Cell(f"{place:04d}", place, {"n": place}) for place in range(n)]


def one_by_one(store, **options):
    return run_sweep(cells(), Compute(odd_fails), store, backend="sequential", batch=1, **options)


@pytest.fixture
def store(tmp_path) -> Store:
    return open_store(tmp_path / "x", command="theory")


@pytest.fixture
def plain(tmp_path, monkeypatch):
    """The rows of the same cells in segments of one row each."""
    with monkeypatch.context() as patch:
        patch.setattr(compaction, "compact", lambda store: 0)
        other = open_store(tmp_path / "plain", command="theory")
        one_by_one(other)
    assert len(other.segments()) == MANY
    return other


def test_small_segments_become_one_with_the_same_rows(store, plain):
    found = one_by_one(store)
    (segment,) = store.segments()
    assert (found.n_computed, found.n_failed) == (MANY, MANY // 2)
    assert (segment.n, segment.n_failed) == (MANY, MANY // 2)
    assert store.read().table.equals(plain.read().table)
    assert (store.read().parameters, store.read().threads) == (("n",), (1,))
    again = one_by_one(store, retry_failed=True)
    assert again.n_before == MANY // 2 and store.read().table.equals(plain.read().table)


def test_few_or_large_segments_stay_as_they_are(store):
    run_sweep(cells(9), Compute(odd_fails), store, backend="sequential", batch=1)
    assert len(store.segments()) == 9
    large = open_store(store.folder.parent / "large", command="theory")
    run_sweep(cells(12 * 16), Compute(odd_fails), large, backend="sequential", batch=16)
    assert len(large.segments()) == 12 and compact(large) == 0


def test_environments_are_kept_apart(store, plain):
    for segment in plain.segments()[: MANY // 2]:
        table, note = plain.load(segment)
        plain.write_table(table, batch=segment.batch, environment={**note, "threads": 2})
        (plain.folder / ROWS / segment.name).unlink()
    before = plain.read()
    assert compact(plain) == MANY and len(plain.segments()) == 2
    assert plain.read().table.equals(before.table) and plain.read().threads == before.threads == (1, 2)


def test_nothing_is_put_together_while_another_drives(store):
    code = (
        "import fcntl, sys; file = open(sys.argv[1], 'a+'); fcntl.flock(file, fcntl.LOCK_SH); "
        "print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(store.folder / ROWS / LOCK)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        one_by_one(store)
        assert len(store.segments()) == MANY
        other.stdin.close()
    one_by_one(store)
    assert len(store.segments()) == 1


def test_nothing_is_put_together_where_there_are_no_locks(store, monkeypatch):
    def no_locks(*_):
        raise OSError("no locks available")

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", no_locks)
        one_by_one(store)
    assert len(store.segments()) == MANY


def test_stopped_between_writing_and_removing_loses_nothing(plain, monkeypatch):
    before, remove, removed = plain.read().table, Path.unlink, []

    def stop_after(self, missing_ok=False):
        if not self.name.startswith("."):
            if len(removed) == 5:
                raise KeyboardInterrupt
            removed.append(self)
        remove(self, missing_ok)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "unlink", stop_after)
        compact(plain)
    assert len(plain.segments()) == MANY - 5 + 1
    assert plain.read().table.equals(before)


def test_a_reader_looks_again_where_segments_went_while_it_read(plain, monkeypatch):
    before, load, seen = plain.read().table, Store.load, []

    def load_late(self, segment, columns=None):
        if not seen:
            seen.append(segment)
            compact(plain)
        return load(self, segment, columns)

    monkeypatch.setattr(Store, "load", load_late)
    assert plain.read().table.equals(before) and len(plain.segments()) == 1


def test_two_that_put_together_at_once_leave_the_rows(plain, monkeypatch):
    before, load = plain.read().table, Store.load

    def gone(self, segment, columns=None):
        raise FileNotFoundError

    monkeypatch.setattr(Store, "load", gone)
    assert compact(plain) == 0
    monkeypatch.setattr(Store, "load", load)
    assert plain.read().table.equals(before)


def test_rows_that_do_not_fit_together_are_left_for_their_reader(plain):
    row = {"id": "x", "n": 0, "status": "ok", "reason": None, "half": "text"}
    _, note = plain.load(plain.segments()[0])
    plain.write(as_columns([row]), batch="b", environment=note)
    assert compact(plain) == 0
    with pytest.raises(InputError, match="do not fit together"):
        plain.read()


def test_rows_that_another_machine_put_together_are_not_missed(store, monkeypatch):
    """As where two machines share a folder, and locks do not reach from one to the other."""
    write, written = Store.write, []

    def write_then_compact(self, rows, **more):
        written.append(write(self, rows, **more))
        if len(written) == MANY:
            compact(self)
        return written[-1]

    monkeypatch.setattr(Store, "write", write_then_compact)
    assert one_by_one(store).n_computed == MANY and len(store.segments()) == 1
