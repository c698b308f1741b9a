"""What a sweep costs beyond its cells: per theory cell, per cell that trains, and on two workers beside the ideal.

Two workers' ideal speed is that of two processes that solve half of the cells each, without the engine, at the same
time: pairs of runs, so that what else the machine does hits both alike.  Start-up of the workers is a row of its own.
"""

import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from harness import Row, seconds

from carryover.experiments.cells import SweepPlan, plan_sweep
from carryover.experiments.compute import Cell, Compute
from carryover.experiments.store import open_store
from carryover.experiments.sweep import run_sweep

N, REPEATS = 10_000, 5


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


def plainly(cells: list[Cell], compute: Compute) -> None:
    """The same cells without the engine, in batches of the engine's size for two workers."""
    if compute.many is None:
        for cell in cells:
            compute.one(cell.spec, None)
        return
    for start in range(0, len(cells), 512):
        compute.many([cell.spec for cell in cells[start : start + 512]])


_HALVES: dict[str, tuple[list[Cell], Compute]] = {}


def _half(name: str, which: int) -> None:
    cells, compute = _HALVES[name]
    plainly(cells[which::2], compute)


def share_of_ideal(pool: object, name: str) -> tuple[float, float, float]:
    """Medians of paired runs: seconds of two plain processes over those of the engine's two workers; and both."""
    cells, compute = _HALVES[name]
    pairs = []
    for _ in range(REPEATS):
        plain = seconds(lambda: pool.starmap(_half, [(name, 0), (name, 1)], chunksize=1))
        pairs.append((plain, swept(cells, compute, 2)))
    ratio = statistics.median(plain / engine for plain, engine in pairs)
    return ratio, statistics.median(one for one, _ in pairs), statistics.median(two for _, two in pairs)


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


def rows() -> Iterable[Row]:
    tables = theory_tables()
    plan_sweep(tables)
    planning = statistics.median(
        1e3 * seconds(lambda: plan_sweep(tables), time.process_time) / N for _ in range(REPEATS)
    )
    plan = plan_sweep(tables)
    cells = list(plan.cells)
    _HALVES["together"] = (cells, plan.compute)
    _HALVES["one by one"] = (cells[:: N // 1000], Compute(plan.compute.one))
    load = f"load {os.getloadavg()[0]:.1f} of {os.cpu_count()} cores before"
    with multiprocessing.get_context("fork").Pool(2) as pool:
        start_up = swept(cells[:32], plan.compute, 2)
        yield Row("sweep: starting two workers", start_up, "s", "", None)
        yield Row("sweep: specs and ids, a theory cell", planning, "ms", "", None)
        added = overhead(plan, cells)
        yield Row("sweep: overhead of a theory cell", added, "ms", "<= .1 ms", added <= 0.1)
        trained = training_overhead()
        yield Row("sweep: overhead of a training cell", trained, "ms", "<= 20 ms", trained <= 20.0)
        ratio, plain, two = share_of_ideal(pool, "together")
        note = f"{N:,} cells: {plain:.2f} s in two plain processes, {two:.2f} s; {load}"
        yield Row("sweep: two workers, share of ideal", ratio, "", ">= .9", ratio >= 0.9, note)
        ratio, plain, two = share_of_ideal(pool, "one by one")
        note = f"1,000 cells, a segment each: {plain:.2f} s and {two:.2f} s"
        yield Row("sweep: the same, cell by cell", ratio, "", ">= .9", ratio >= 0.9, note)


if __name__ == "__main__":
    for row in rows():
        print(f"{row.work}: {row.measured:.4g} {row.unit} {row.target} {row.met} {row.note}", flush=True)
