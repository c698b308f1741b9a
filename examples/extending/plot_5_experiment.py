"""
An experiment of your own
=========================

An experiment of ``carryover reproduce`` is data, too: cells of three sizes, a table of their rows, and what is
published beside it. This one fits regression tasks with the least-norm solution, as a linear model trained from zero
does; what that costs is known (Hastie, Montanari, Rosset and Tibshirani, Annals of Statistics 50, 2022, theorem 1).
"""

# %%
# A cell is one independent run: a frozen dataclass of all that changes its result, and a function that makes a flat row
# of it.
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from carryover.experiments.comparisons import Comparison, Published, compare_order, compare_value
from carryover.experiments.compute import Cell, Compute
from carryover.experiments.entry import Cost, Entry, Part, Size
from carryover.experiments.identity import cell_id
from carryover.experiments.inputs import Inputs
from carryover.experiments.reproduction import reproduce
from carryover.experiments.summaries import mean_over_runs

DIMENSION, NOISE = 100, 0.5
SAMPLES = (25, 50, 80, 125, 200, 400)


@dataclass(frozen=True)
class Draw:
    """Samples of y = x . w + noise with |w| = 1 and standard normal x."""

    samples: int
    seed: int


def excess_risk(cell: Draw, _: Path | None = None) -> dict[str, float]:
    """|w - v|^2 of the least-norm least-squares solution v."""
    generator = np.random.default_rng([cell.seed, cell.samples])
    inputs = generator.normal(size=(cell.samples, DIMENSION))
    truth = np.full(DIMENSION, DIMENSION**-0.5)
    targets = inputs @ truth + NOISE * generator.normal(size=cell.samples)
    found = np.linalg.lstsq(inputs, targets, rcond=None)[0]
    return {"excess_risk": float(np.sum((found - truth) ** 2))}


def parts(seeds: int, _: Inputs) -> tuple[Part, ...]:
    """The cells with their labels. An experiment on images would ask the inputs where they are."""
    cells = [
        Cell(cell_id("least norm", draw, version=1), draw, {"samples": draw.samples, "seed": draw.seed})
        for draw in (Draw(samples, seed) for samples in SAMPLES for seed in range(seeds))
    ]
    return (Part(tuple(cells), Compute(excess_risk)),)


# %%
# What is published is written down, and how large a difference matters, before anything is run.
SOURCE, MATTERS = "Hastie et al. (2022), theorem 1, as n and d grow", 0.1


def published(samples: float) -> float:
    """The limit of the excess risk at gamma = d / n."""
    gamma = DIMENSION / samples
    if gamma < 1:
        return NOISE**2 * gamma / (1 - gamma)
    return 1 - 1 / gamma + NOISE**2 / (gamma - 1)


def compare(table: pd.DataFrame) -> tuple[Comparison, ...]:
    runs = {n: own.sort_values("seed")["excess_risk"].to_numpy(float) for n, own in table.groupby("samples")}
    found = [
        compare_value(f"n = {n}", Published(SOURCE, published(n)), mean_over_runs(values), matters=MATTERS)
        for n, values in runs.items()
    ]
    claim = Published(SOURCE, claim="more samples cost more on the way to n = d")
    return (*found, compare_order("n = 80 less n = 50", claim, mean_over_runs(runs[80] - runs[50])))


LEAST_NORM = Entry(
    name="least_norm",
    description="Double descent: the excess risk of least-norm least squares against the number of samples.",
    sizes={
        "smoke": Size(partial(parts, 3), Cost(1.0), seeds=tuple(range(3))),
        "small": Size(partial(parts, 40), Cost(1.0), seeds=tuple(range(40))),
        "full": Size(partial(parts, 1000), Cost(10.0, measured=False), seeds=tuple(range(1000))),
    },
    table=lambda rows: pd.DataFrame(rows, columns=["samples", "seed", "excess_risk", "status", "reason"]),
    compare=compare,
)

# %%
# ``reproduce`` runs the cells that the folder does not have yet, through the engine of :doc:`/sweeps`.
run = reproduce(LEAST_NORM, globals().get("SIZE", "small"), Path(tempfile.mkdtemp()) / "least_norm")
for comparison in run.comparisons:
    print(f"{comparison.verdict}: {comparison.what}: {comparison.sentence}")

# %%
# Dots: runs. The line is what is published. Near n = d runs scatter, and 40 of them cannot tell a difference of 0.1.
figure, axis = plt.subplots(figsize=(6, 3.4), layout="constrained")
curve = np.r_[np.geomspace(20, 92, 60), np.nan, np.geomspace(109, 450, 60)]
axis.plot(curve, [published(n) for n in curve], color="#d55e00", label="published limit")
jitter = 1 + 0.03 * np.sin(run.table["seed"])
axis.plot(
    run.table["samples"] * jitter, run.table["excess_risk"], ".", color="#0072b2", alpha=0.4, label="runs"
)
axis.set(xlabel="samples (100 dimensions)", ylabel="excess risk", xscale="log", yscale="log")
axis.set_xticks(SAMPLES, SAMPLES)
axis.minorticks_off()
axis.grid(color="#e6eaee")
axis.legend(frameon=False)
plt.show()

# %%
# To make it a name of ``carryover reproduce``, with a page and a figure of its own, see :doc:`/extending`.
