"""What a worker does with a batch of cells: fixed threads, failures as rows, one segment in the store."""

import fcntl
import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from carryover._core.config import spec_as_table
from carryover._core.errors import DiskFullError, InputError, NotComputedError
from carryover.data.atomic import naming_a_full_disk, remove_partial, written_whole
from carryover.experiments.batch import Batch
from carryover.experiments.compute import Cell, Compute
from carryover.experiments.identity import environment
from carryover.experiments.rows import Columns, Row, as_columns, failed_row, whole_columns, whole_row
from carryover.experiments.store import Store

DONE, LOCK = "done", "lock"
# Torch's random state and the threads of the libraries belong to a process; a Dask worker may have several threads.
_ALONE = threading.Lock()


@dataclass(frozen=True)
class BatchResult:
    """What became of a batch: its segment (None where nothing was left to write) and the cells that others hold."""

    segment: str | None
    n_failed: int = 0
    taken: tuple[str, ...] = ()


def compute_batch(batch: Batch, compute: Compute, store: Store, threads: int) -> BatchResult:
    """Compute the cells and write their segment; nothing where another driver wrote that batch meanwhile.

    Raises DiskFullError where the store's disk is full; whatever else goes wrong is a row that failed.
    """
    new = [one for one in store.written(batch.name) if one.name not in batch.seen]
    if any(one.n == len(batch.ids) for one in new):
        return BatchResult(None)
    started = time.monotonic()
    with _ALONE, _fixed_threads(threads, torch=compute.uses_torch):
        columns = _together(batch, compute) or _one_by_one(batch, compute, store, threads=threads)
    written = set(columns.get("id", ()))
    taken = tuple(ident for ident in batch.ids if ident not in written)
    if not written:
        return BatchResult(None, taken=taken)
    note = {
        "parameters": sorted(batch.parameters),
        "threads": threads,
        "seconds": time.monotonic() - started,
        **environment(),
    }
    name = store.write(columns, batch=batch.name, environment=note)
    return BatchResult(name, list(columns["status"]).count("failed"), taken)


def _together(batch: Batch, compute: Compute) -> Columns | None:
    """The rows of all cells at once; None where they are not computed so, or one of them fails."""
    if compute.many is None:
        return None
    try:
        return whole_columns(batch.ids, batch.parameters, compute.many(batch.specs))
    except DiskFullError:
        raise
    except Exception:  # which of them it was shows when each is computed by itself
        return None


def _one_by_one(batch: Batch, compute: Compute, store: Store, *, threads: int) -> Columns:
    """The rows of the cells but those that another driver is computing."""
    if not compute.leaves_folder:
        return as_columns([_row(cell, compute, None) for cell in batch.cells])
    rows = [_in_folder(cell, compute, store, threads=threads) for cell in batch.cells]
    return as_columns([row for row in rows if row is not None])


def _row(cell: Cell, compute: Compute, folder: Path | None) -> Row:
    try:
        result = compute.one(cell.spec, folder)
        return whole_row(cell.id, cell.parameters, result)
    except DiskFullError:
        raise
    except (InputError, NotComputedError) as error:
        reason = str(error)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
    return whole_row(cell.id, cell.parameters, failed_row(reason))


def _in_folder(cell: Cell, compute: Compute, store: Store, *, threads: int) -> Row | None:
    """The row of a cell with a folder; read from there where it was finished and only its segment was not written."""
    folder = store.run_folder(cell.id)
    folder.mkdir(parents=True, exist_ok=True)
    with _claimed(folder / LOCK) as mine:
        if not mine:
            return None
        if (folder / DONE).exists():
            row = json.loads((folder / "row.json").read_text(encoding="utf-8"))
            return whole_row(cell.id, cell.parameters, row)
        remove_partial(folder)
        _write_json(folder / "spec.json", spec_as_table(cell.spec), sure=False)
        row = _row(cell, compute, folder)
        result = {key: value for key, value in row.items() if key != "id" and key not in cell.parameters}
        _write_json(folder / "environment.json", {**environment(), "threads": threads}, sure=False)
        _write_json(folder / "row.json", result)
        if row["status"] == "ok":
            with written_whole(folder / DONE, overwrite=True) as path:
                path.touch()
        return row


@contextmanager
def _claimed(path: Path) -> Iterator[bool]:
    """Whether this process alone may compute the cell; the claim ends with the block, or with the process.

    A lock on a file that is open for writing, which network file systems share between machines.
    """
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        except OSError:  # the file system has no locks
            pass
        yield True


def _write_json(path: Path, record: Any, *, sure: bool = True) -> None:
    """``sure``: on the disk before the next file is written; what only people read need not wait for that."""
    text = json.dumps(record, indent=1, default=str)
    if not sure:
        with naming_a_full_disk(path):
            path.write_text(text, encoding="utf-8")
        return
    with written_whole(path, overwrite=True) as partial:
        partial.write_text(text, encoding="utf-8")


@contextmanager
def _fixed_threads(threads: int, *, torch: bool) -> Iterator[None]:
    """So many threads for the numerical libraries inside; as before after it."""
    with ExitStack() as stack:
        if torch:
            import torch as library

            before = library.get_num_threads()
            library.set_num_threads(threads)
            stack.callback(library.set_num_threads, before)
        stack.enter_context(_pools(torch or "torch" in sys.modules).limit(limits=threads))
        yield


@cache
def _pools(_: bool) -> Any:
    """The thread pools of the libraries that are loaded; looked up anew once torch is."""
    from threadpoolctl import ThreadpoolController

    import carryover.theory  # noqa: F401  so that NumPy's and SciPy's are

    return ThreadpoolController()
