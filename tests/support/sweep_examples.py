"""Small sweeps of the theory, and what runs them."""

from pathlib import Path
from typing import Any

from carryover.experiments.cells import SweepPlan, plan_sweep
from carryover.experiments.compute import Cell
from carryover.experiments.store import Store, open_store
from carryover.experiments.sweep import SweepResult, run_plan, run_sweep

SCALES = [1e-6, 1e-3, 1.0]
ALPHAS = [0.1, 0.2, 0.3, 1.0]


def theory_sweep(over: dict[str, Any] | None = None, **base: Any) -> SweepPlan:
    """By default 12 cells, three of which fail: with label noise the error diverges at alpha = 1."""
    tables = {"task": {"overlap": 0.5, "label_noise_std": 0.3}, **base}
    over = {"network.scale": SCALES, "alpha": ALPHAS} if over is None else over
    return plan_sweep({"sweep": {"command": "theory"}, "base": tables, "over": over})


def swept(plan: SweepPlan, folder: Path, **options: Any) -> tuple[Store, SweepResult]:
    store = open_store(folder, command=plan.spec.sweep.command)
    return store, run_sweep(plan.cells, plan.compute, store, **{"backend": "sequential", **options})


def swept_plan(plan: SweepPlan, folder: Path, **options: Any) -> tuple[Store, SweepResult]:
    """With what follows from all results."""
    store = open_store(folder, command=plan.spec.sweep.command)
    return store, run_plan(plan, store, **{"backend": "sequential", **options})


def half(spec: int, folder: Path | None) -> dict[str, int]:
    """A compute of numbers that fails where they are odd."""
    if spec % 2:
        raise ZeroDivisionError("odd")
    return {"half": spec // 2}


def numbered(n: int) -> list[Cell]:
    """Cells whose specs count from 0."""
    return [Cell(f"{place:04d}", place, {"n": place}) for place in range(n)]
