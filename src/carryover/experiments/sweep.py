"""Run a sweep's cells on many processes or machines: rows do not depend on where, in which order, or how many at once.

Workers write rows to the store themselves, and the driver looks there for progress: joblib's Ray backend cannot hand
results over one by one, and what was written is safe from whatever stops the driver.
"""

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from joblib import delayed

from carryover._core.errors import InputError
from carryover.experiments.backends import Backend, check_backend, running
from carryover.experiments.batching import PlannedBatch, batch_size, make_batches
from carryover.experiments.compaction import driving
from carryover.experiments.compute import Cell, Compute
from carryover.experiments.store import ROWS, Rows, Store
from carryover.experiments.worker import BatchResult, compute_batch

if TYPE_CHECKING:
    from carryover.experiments.cells import SweepPlan

_LOOK_EVERY = 0.25  # seconds between looks at the store
_WAIT_FOR_OTHERS = 0.5


@dataclass(frozen=True)
class Progress:
    """How far the sweep is: cells to compute in this run, those of them with a row, those that failed, seconds."""

    n_todo: int
    n_done: int = 0
    n_failed: int = 0
    seconds: float = 0.0

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far; None before the first row."""
        return self.seconds / self.n_done * (self.n_todo - self.n_done) if self.n_done else None


@dataclass(frozen=True)
class SweepResult:
    """``n_before`` cells had their rows already, ``n_left`` were left out by ``limit``; ``n_failed`` of all that have
    a row failed.  ``notes``: what to know about the rows.
    """

    n_cells: int
    n_before: int
    n_computed: int
    n_failed: int
    n_left: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FollowUp:
    """Cells that need the results of all others, with a store of their own; ``notes``: what was done and found."""

    store: Store
    cells: tuple[Cell, ...]
    compute: Compute
    notes: tuple[str, ...] = ()


def run_plan(plan: "SweepPlan", store: Store, **options: Any) -> SweepResult:
    """:func:`run_sweep` of a plan's cells, then of those that follow from their results, where there are any."""
    found = run_sweep(plan.cells, plan.compute, store, **options)
    if plan.follow_up is None:
        return found
    then = plan.follow_up(store, plan.cells)
    second = run_sweep(then.cells, then.compute, then.store, **{**options, "limit": None})
    notes = (*found.notes, *then.notes)
    if second.n_failed:
        notes += (f"{second.n_failed} of {second.n_cells} second looks at the rows failed.",)
    return dataclasses.replace(found, notes=notes)


def run_sweep(
    cells: Sequence[Cell],
    compute: Compute,
    store: Store,
    *,
    backend: Backend = "loky",
    address: str | None = None,
    workers: int = 1,
    threads: int = 1,
    batch: int | None = None,
    retry_failed: bool = False,
    limit: int | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> SweepResult:
    """Compute the cells that have no row in the store yet, and add theirs.

    - ``threads`` of the numerical libraries for each cell; recorded, since the last digits depend on them
    - ``batch``: about so many cells in a segment; by default one where they leave folders or take long, else more
    - ``retry_failed``: cells that failed are computed again; ``limit``: at most so many in this run
    - ``progress`` is told from a thread of its own

    Several drivers may work on one store: no row is lost or damaged, and most cells are computed once.
    Raises InputError for options out of range and for a store that the workers do not share with this machine,
    DiskFullError where no space is left.
    """
    _check_options(backend, address, workers=workers, threads=threads, batch=batch, limit=limit)
    by_id = {cell.id: cell for cell in cells}
    again = ("ok",) if retry_failed else ("ok", "failed")
    with driving(store):
        before = store.segments()  # listed first: whatever comes while rows are read is seen to be new
        there = store.read(("id", "status"))
        settled = {ident for ident, status in there.status.items() if status in again}
        missing = [cell for ident, cell in by_id.items() if ident not in settled]
        todo = missing if limit is None else missing[:limit]
        batches = make_batches(todo, before, size=batch or batch_size(compute, len(todo), workers))
        n_failed = _failed_before(by_id.keys(), todo, there)
        if todo:
            with running(backend, address=address, workers=workers) as parallel, _watched(
                store, batches, len(todo), progress
            ):  # fmt: skip
                n_failed += _run(batches, compute, store, threads=threads, parallel=parallel)
    return SweepResult(
        n_cells=len(by_id),
        n_before=len(by_id) - len(missing),
        n_computed=len(todo),
        n_failed=n_failed,
        n_left=len(missing) - len(todo),
        notes=_thread_notes(there.threads, threads),
    )


def _failed_before(ids: Set[str], todo: Sequence[Cell], there: Rows) -> int:
    """How many of the cells that are not computed in this run have a row that failed."""
    failed = {ident for ident, status in there.status.items() if status == "failed"}
    if not failed:
        return 0
    return len(failed & (ids - {cell.id for cell in todo}))


def _run(
    batches: Sequence[PlannedBatch],
    compute: Compute,
    store: Store,
    *,
    threads: int,
    parallel: Callable[..., list],
) -> int:
    """Every batch, and again those cells that another driver held but did not finish; how many cells failed."""
    first, others_helped = batches, False
    while True:
        found: list[BatchResult] = parallel(
            delayed(compute_batch)(one.batch(), compute, store, threads) for one in batches
        )
        _check_shared(store, batches, found)
        taken = {ident for one in found for ident in one.taken}
        others_helped |= any(one.segment is None or one.taken for one in found)
        if not others_helped:
            return sum(one.n_failed for one in found)
        if not taken:
            status = store.read(("id", "status")).status
            return sum(status.get(cell.id) == "failed" for one in first for cell in one.cells)
        time.sleep(_WAIT_FOR_OTHERS)
        before = store.segments()
        written = store.read(("id", "status")).status
        left = [cell for one in batches for cell in one.cells if cell.id in taken - written.keys()]
        batches = make_batches(left, before, size=1)


def _check_options(
    backend: str, address: str | None, *, workers: int, threads: int, batch: int | None, limit: int | None
) -> None:
    for name, value in (("workers", workers), ("threads", threads), ("batch", batch), ("limit", limit)):
        if value is not None and value < 1:
            raise InputError(f"{name} must be >= 1, got {value}")
    if backend == "sequential" and workers > 1:
        raise InputError(f"backend 'sequential' has one worker, got workers = {workers}")
    check_backend(backend, address)


def _check_shared(store: Store, batches: Sequence[PlannedBatch], found: Sequence[BatchResult]) -> None:
    """Rows of a segment that is not there may stand in a larger one, where locks do not reach other machines."""
    missing = [
        batch
        for batch, one in zip(batches, found, strict=True)
        if one.segment and not (store.folder / ROWS / one.segment).exists()
    ]
    if (
        missing
        and not {cell.id for one in missing for cell in one.cells}
        <= store.read(("id", "status")).status.keys()
    ):
        raise InputError(
            f"the workers wrote rows that are not in {store.folder} of this machine: choose a folder on a disk that "
            "all machines share, under the same path"
        )


def _thread_notes(before: Sequence[int], threads: int) -> tuple[str, ...]:
    others = [count for count in before if count != threads]
    if not others:
        return ()
    said = ", ".join(map(str, others))
    return (f"Rows here were computed with {said} threads and now with {threads}: last digits may differ.",)


@contextmanager
def _watched(
    store: Store, batches: Sequence[PlannedBatch], n_todo: int, progress: Callable[[Progress], None]
) -> Iterator[None]:
    """Tells of the batches' segments as they come, from a thread, since the main one waits for the workers."""
    started, over = time.monotonic(), threading.Event()
    mine = {batch.name: batch.seen for batch in batches}

    def look() -> Progress:
        new = {
            one.batch: one
            for one in store.segments()
            if one.batch in mine and one.name not in mine[one.batch]
        }
        n_done, n_failed = (sum(getattr(one, name) for one in new.values()) for name in ("n", "n_failed"))
        return Progress(n_todo, n_done, n_failed, time.monotonic() - started)

    def watch() -> None:
        progress(Progress(n_todo))
        while not over.wait(_LOOK_EVERY):
            progress(look())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
    progress(look())
