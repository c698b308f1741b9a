"""The linear example of LPFT22: where there is no data, fine-tuning from a new head loses what LP-FT keeps.

f(x) = v^T B x with B (k, d); the truth w = B_0^T v*, |w| = 1, is linear in the pretrained features B_0, whose rows
are orthonormal.  Training inputs lie in m of the d directions.  Gradient flow on both layers, from a random head of
length 1 ("FT") or from the least-squares head of least norm on the features ("LP-FT").
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.integrate import solve_ivp

from carryover._core.errors import InputError, NotComputedError
from carryover._core.results import Estimate
from carryover._core.seeding import derive_generator
from carryover.experiments.comparisons import Comparison, Published, compare_order, compare_value
from carryover.experiments.compute import Cell, Compute
from carryover.experiments.entry import Part
from carryover.experiments.identity import cell_id
from carryover.experiments.rows import Row
from carryover.experiments.summaries import mean_over_runs

if TYPE_CHECKING:
    import pandas as pd

SPEC_VERSION = 1
TIMES = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""Times of the gradient flow at which errors are read."""
FT, LP_FT = "FT", "LP-FT"
SAMPLES = (2, 3, 10, 40)
SOURCE = "Kumar et al., ICLR 2022 (LPFT22), two-layer linear model with perfect features"
_ZERO = 1e-12  # where squares of rounding errors end; |w| = 1


@dataclass(frozen=True)
class LinearTransferCell:
    """One run: d inputs, k features, m directions with data, ``samples`` of them, and how the head starts."""

    plan: Literal["FT", "LP-FT"]
    samples: int
    dimension: int = 20
    features: int = 3
    directions: int = 8
    head_norm: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.features <= self.directions < self.dimension:
            raise InputError(
                f"1 <= features <= directions < dimension must hold, got {self.features}, {self.directions}, "
                f"{self.dimension}"
            )
        if self.samples < 1:
            raise InputError(f"samples must be >= 1, got {self.samples}")


def run_linear(cell: LinearTransferCell, _: Path | None = None) -> Row:
    """Squared errors of the linear function (|w| = 1) outside and inside the directions with data, at each time."""
    generator = derive_generator(cell.seed, "linear transfer", cell.samples)
    basis = np.linalg.qr(generator.normal(size=(cell.dimension, cell.dimension)))[0]
    pretrained = np.linalg.qr(generator.normal(size=(cell.dimension, cell.features)))[0].T
    truth = pretrained.T @ _unit(generator.normal(size=cell.features))
    inputs = generator.normal(size=(cell.samples, cell.directions)) @ basis[:, : cell.directions].T
    head = cell.head_norm * _unit(generator.normal(size=cell.features))
    if cell.plan == LP_FT:
        head = np.linalg.lstsq(inputs @ pretrained.T, inputs @ truth, rcond=None)[0]
    learned = _flow(pretrained, head, inputs.T @ inputs / cell.samples, truth)
    wrong = (learned - truth) @ basis
    outside = (wrong[:, cell.directions :] ** 2).sum(axis=1)
    inside = (wrong[:, : cell.directions] ** 2).sum(axis=1)
    names = [(f"outside_{at}", f"inside_{at}") for at in range(len(TIMES))]
    return {
        key: float(value)
        for pair, values in zip(names, zip(outside, inside, strict=True), strict=True)
        for key, value in zip(pair, values, strict=True)
    }


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _flow(pretrained: np.ndarray, head: np.ndarray, scatter: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """B^T v (times, d) along the gradient flow of (v^T B - w^T) S (B^T v - w) / 2."""
    k, d = pretrained.shape

    def velocity(_: float, state: np.ndarray) -> np.ndarray:
        features, v = state[: k * d].reshape(k, d), state[k * d :]
        pull = scatter @ (truth - features.T @ v)
        return np.concatenate([np.outer(v, pull).ravel(), features @ pull])

    start = np.concatenate([pretrained.ravel(), head])
    found = solve_ivp(velocity, (0.0, TIMES[-1]), start, t_eval=TIMES, method="LSODA", rtol=1e-9, atol=1e-12)
    if not found.success:
        raise NotComputedError(f"the gradient flow was not followed to its end: {found.message}")
    features, v = found.y[: k * d].T.reshape(-1, k, d), found.y[k * d :].T
    return np.einsum("tkd,tk->td", features, v)


def linear_part(seeds: int) -> Part:
    """Cells of every plan and number of samples."""
    cells = []
    for plan in (FT, LP_FT):
        for samples in SAMPLES:
            for seed in range(seeds):
                spec = LinearTransferCell(plan, samples, seed=seed)
                labels = {"plan": plan, "samples": samples, "seed": seed}
                cells.append(Cell(cell_id("linear transfer", spec, version=SPEC_VERSION), spec, labels))
    return Part(tuple(cells), Compute(run_linear, _run_many))


def _run_many(cells: Sequence[LinearTransferCell]) -> list[Row]:
    return [run_linear(cell) for cell in cells]


def linear_rows(row: Row) -> list[Row]:
    """A row of the table for each time."""
    same = {key: row[key] for key in ("plan", "samples", "seed", "status", "reason")}
    return [
        {**same, "time": time}
        | {f"error_{where}": row.get(f"{where}_{at}") for where in ("outside", "inside")}
        for at, time in enumerate(TIMES)
    ]


def compare_linear(table: "pd.DataFrame") -> tuple[Comparison, ...]:
    """What is claimed of fine-tuning and LP-FT, for each number of samples."""
    k = LinearTransferCell(FT, 1).features
    found = []
    for samples in SAMPLES:
        kept = _outside(table, LP_FT, samples).max(axis=1)
        bent = _outside(table, FT, samples).min(axis=1)
        said = f"n = {samples} ({'n >= k' if samples >= k else 'n < k'}, k = {k})"
        what = f"{said}: error of LP-FT outside the data, the largest over all times"
        if samples < k:
            claim = Published(SOURCE, claim="not 0: fewer samples than features do not determine the head")
            found.append(compare_order(f"{what}, mean", claim, mean_over_runs(kept)))
            continue
        found.append(compare_value(f"{what} and runs", Published(SOURCE, 0.0), _largest(kept), matters=_ZERO))
        claim = Published(
            SOURCE, claim="fine-tuning from a new head distorts the features there, LP-FT does not"
        )
        found.append(
            compare_order(
                f"{said}: the smallest of fine-tuning over all times less that, mean over runs",
                claim,
                mean_over_runs(bent - kept),
            )
        )
    return tuple(found)


def _outside(table: "pd.DataFrame", plan: str, samples: int) -> np.ndarray:
    """Errors outside the data, (runs, times); NaN for a run that failed."""
    own = table[(table["plan"] == plan) & (table["samples"] == samples)]
    return own.pivot(index="seed", columns="time", values="error_outside").astype(float).to_numpy()


def _largest(values: np.ndarray) -> Estimate:
    """The largest, which is what "at all times" is about: no sampling error."""
    largest = float(values.max())
    if not math.isfinite(largest):
        return Estimate.missing("failed", "a run failed")
    return Estimate(largest, None, (largest, largest), len(values))
