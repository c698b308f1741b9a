"""What a sweep costs beyond its cells: per theory cell, per cell that trains, and on two workers beside the ideal.

Two workers' ideal speed is twice that of one; harder, that of two processes that solve half of the cells each, without
the engine.  Rounds of runs in one order and in the other, so that what else the machine does hits all alike; the median
and the quartiles of their ratios.  The same ratio in processor time, of all processes together, does not depend on the
machine's load, but does not see a worker that waits either.  Start-up of the workers is a row of its own.
"""

import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import psutil
from harness import Row, seconds
from threadpoolctl import threadpool_limits

from carryover.experiments.batching import batch_size, dealt
from carryover.experiments.cells import SweepPlan, plan_sweep
from carryover.experiments.compute import Cell, Compute
from carryover.experiments.store import open_store
from carryover.experiments.sweep import run_sweep

N, REPEATS, ROUNDS = 10_000, 5, 41


def theory_tables() -> dict:
    """10,000 cells: 25 scales, 20 relative scales, 20 alphas."""
    return {
        "sweep": {"command": "theory"},
        "base": {"task": {"overlap": 0.5}},
        "over": {
            "network.scale": np.geomspace(1e-4, 1.0, 25).tolist(),
            "network.relative_scale": np.linspace(-0.99, 0.9, 20).tolist(),
            "alpha": np.linspace(0.05, 0.9, 20).tolist(),
        },
    }


def swept(cells: list[Cell], compute: Compute, workers: int) -> float:
    """Seconds of a whole sweep into a new folder."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "sweep", command="theory")
        backend = "sequential" if workers == 1 else "loky"
        return seconds(lambda: run_sweep(cells, compute, store, backend=backend, workers=workers, threads=1))


def plainly(cells: list[Cell], compute: Compute, which: int = 0, of: int = 1) -> None:
    """The same cells without the engine, in the batches that it makes of them; every ``of``-th batch."""
    if compute.many is None:
        for cell in cells[which::of]:
            compute.one(cell.spec, None)
        return
    for part in dealt(cells, batch_size(compute, len(cells), of))[which::of]:
        compute.many([cell.spec for cell in part])


_HALVES: dict[str, tuple[list[Cell], Compute]] = {}


def _half(name: str, which: int) -> None:
    plainly(*_HALVES[name], which, 2)


def processor_seconds() -> float:
    """Of this process and its children so far; both kinds of workers live until the end."""
    me = psutil.Process()
    spent = [one.cpu_times() for one in (me, *me.children(recursive=True))]
    return sum(one.user + one.system for one in spent)


def spent(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock, and of the processors."""
    before = processor_seconds()
    wall = seconds(work)
    return wall, processor_seconds() - before


def rounds(pool: object, name: str, n: int) -> np.ndarray:
    """(n, 3, 2): two plain processes, the engine's one worker and its two; seconds on the clock, of the processors."""
    cells, compute = _HALVES[name]
    works = (
        lambda: pool.starmap(_half, [(name, 0), (name, 1)], chunksize=1),
        lambda: swept(cells, compute, 1),
        lambda: swept(cells, compute, 2),
    )
    found = np.empty((n, len(works), 2))
    for one in range(n):
        for which in (0, 1, 2) if one % 2 else (2, 1, 0):
            found[one, which] = spent(works[which])
    return found


def overhead(plan: SweepPlan, cells: list[Cell]) -> float:
    """Processor milliseconds for each cell that the engine adds to the cells' own, in one process."""
    compute = plan.compute
    found = []
    for _ in range(REPEATS):
        with tempfile.TemporaryDirectory() as folder:
            store = open_store(Path(folder) / "sweep", command="theory")
            whole = seconds(
                lambda store=store: run_sweep(cells, compute, store, backend="sequential"), time.process_time
            )
        own = seconds(lambda: plainly(cells, compute), time.process_time)
        found.append(1e3 * (whole - own) / len(cells))
    return statistics.median(found)


def nothing(spec: object, folder: Path | None) -> dict:
    """A cell that trains, without the training."""
    return {"loss": 0.5}


def training_overhead() -> float:
    """Milliseconds of a cell with a folder that computes nothing."""
    found = []
    for repeat in range(REPEATS):
        cells = [Cell(f"{repeat:032d}{place:032d}", place, {"n": place}) for place in range(40)]
        with tempfile.TemporaryDirectory() as folder:
            store = open_store(Path(folder) / "sweep", command="pretrain")
            compute = Compute(nothing, leaves_folder=True, uses_torch=True)
            spent = seconds(
                lambda store=store, compute=compute, cells=cells: run_sweep(
                    cells, compute, store, backend="sequential"
                )
            )
        found.append(1e3 * spent / len(cells))
    return statistics.median(found)


def one_worker() -> Iterable[Row]:
    """What the engine adds to cells in one process."""
    tables = theory_tables()
    plan = plan_sweep(tables)
    planning = statistics.median(
        1e3 * seconds(lambda: plan_sweep(tables), time.process_time) / N for _ in range(REPEATS)
    )
    yield Row("sweep: specs and ids, a theory cell", planning, "ms", "", None)
    added = overhead(plan, list(plan.cells))
    yield Row("sweep: overhead of a theory cell", added, "ms", "<= .1 ms", added <= 0.1)
    trained = training_overhead()
    yield Row("sweep: overhead of a training cell", trained, "ms", "<= 20 ms", trained <= 20.0)


def two_workers(pool: object) -> Iterable[Row]:
    """Two workers beside two plain processes."""
    load = f"load {os.getloadavg()[0]:.1f} of {os.cpu_count()} cores before"
    found = rounds(pool, "together", ROUNDS)
    plain, one, two = np.moveaxis(found, 1, 0)
    shares = (
        ("twice one worker's speed, on the clock", one[:, 0] / 2, two[:, 0]),
        ("two processes without the engine, on the clock", plain[:, 0], two[:, 0]),
        ("two processes without the engine, in processor time", plain[:, 1], two[:, 1]),
    )
    for of, ideal, spent_here in shares:
        low, ratio, high = np.quantile(ideal / spent_here, (0.25, 0.5, 0.75))
        note = (
            f"quartiles {low:.3f} to {high:.3f}; {N:,} cells: {np.median(ideal):.2f} s ideally, "
            f"{np.median(spent_here):.2f} s; {load}"
        )
        yield Row(f"sweep: two workers, share of {of}", ratio, "", ">= .9", ratio >= 0.9, note)
    found = rounds(pool, "one by one", 3)
    added = 1e3 * float(np.median(found[:, 2, 1] - found[:, 0, 1])) / len(_HALVES["one by one"][0])
    yield Row("sweep: overhead of a cell with a segment of its own", added, "ms", "<= 20 ms", added <= 20.0)


def rows() -> Iterable[Row]:
    plan = plan_sweep(theory_tables())
    cells = list(plan.cells)
    _HALVES["together"] = (cells, plan.compute)
    _HALVES["one by one"] = (cells[:: N // 300], Compute(plan.compute.one))
    with threadpool_limits(1), multiprocessing.get_context("fork").Pool(2) as pool:
        start_up = swept(cells[:32], plan.compute, 2)
        yield Row("sweep: starting two workers", start_up, "s", "", None)
        yield from one_worker()
        yield from two_workers(pool)


if __name__ == "__main__":
    for row in rows():
        print(f"{row.work}: {row.measured:.4g} {row.unit} {row.target} {row.met} {row.note}", flush=True)
