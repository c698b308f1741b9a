"""Figures 3 and 5 of A26: five initialisations at three overlaps, and the four regimes on three tasks."""

import math
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from carryover.experiments.comparisons import Comparison, Published, compare_order, compare_value, exactly
from carryover.experiments.diagonal_networks import EXAMPLES, FIGURE3_NETWORKS, FIGURE3_TASKS, FIGURE5_TASKS
from carryover.experiments.entries.a26 import values as published
from carryover.experiments.entries.a26.curves import (
    GRID,
    Curves,
    curve_table,
    predicted_against_exact,
    predicted_error,
    simulated_against_exact,
)
from carryover.experiments.entry import Cost, Entry, Size, SizeName
from carryover.experiments.theory_cells import SimulateSpec

if TYPE_CHECKING:
    import pandas as pd


def compare_figure3(table: "pd.DataFrame") -> tuple[Comparison, ...]:
    return (
        *predicted_against_exact(_CURVES3, table),
        *_overlap_claims(table),
        *simulated_against_exact(_CURVES3, table),
    )


def _overlap_claims(table: "pd.DataFrame") -> Iterator[Comparison]:
    """What overlap is worth to each network, in powers of ten of the error."""
    for alpha in published.EXACT_ALPHAS:
        worth = {
            network: math.log10(
                predicted_error(table, task="overlap 0", network=network, alpha=alpha)
                / predicted_error(table, task="overlap 1", network=network, alpha=alpha)
            )
            for network in ("c = 1e-3", "c = 1e-3, readout 1")
        }
        dependent, independent = worth.values()
        source = f"{published.A26}, Proposition 4.2"
        yield compare_order(
            f"c = 1e-3, alpha = {alpha:g}: log10 of the error at overlap 0 over that at overlap 1",
            Published(source, claim="a network that depends on pretraining gains from features it shares"),
            exactly(dependent),
        )
        yield compare_order(
            f"alpha = {alpha:g}: what overlap is worth with readout 0 less with readout 1, in powers of ten",
            Published(source, claim="a larger readout makes fine-tuning depend less on pretraining"),
            exactly(abs(dependent) - abs(independent)),
        )


def compare_figure5(table: "pd.DataFrame") -> tuple[Comparison, ...]:
    return (
        *predicted_against_exact(_CURVES5, table),
        *_typical(table),
        *_subset_claims(table),
        *simulated_against_exact(_CURVES5, table),
    )


_SAME_TASK, _SUBSET_TASK, _NEW_TASK = FIGURE5_TASKS
_I, _II, _III, _IV = EXAMPLES


def _typical(table: "pd.DataFrame") -> Iterator[Comparison]:
    """Errors that stand in the theory's summary, as rounded there."""
    for task, network, alpha, value, half_digit in (
        (_NEW_TASK, _I, 0.3, 0.116, 5e-4),
        (_SAME_TASK, _I, 0.3, 2.7e-4, 5e-6),
        (_SUBSET_TASK, _I, 0.05, 0.0155, 5e-5),
        (_SUBSET_TASK, _IV, 0.05, 0.0235, 5e-5),
    ):
        ours = predicted_error(table, task=task, network=network, alpha=alpha)
        yield compare_value(
            f"{task}, {network}, alpha = {alpha:g}: predicted error",
            Published(published.TYPICAL_SOURCE, value, uncertainty=half_digit),
            exactly(ours),
            matters=half_digit,
        )


def _subset_claims(table: "pd.DataFrame") -> Iterator[Comparison]:
    """The abstract's claim, read in two ways: IV alone, or the better of both networks with a smaller first layer."""
    readings = {
        f"{_IV} and the best other": ((_IV,), (_I, _II, _III)),
        "a smaller first layer (I, IV) and equal layers (II, III)": ((_I, _IV), (_II, _III)),
    }
    source = Published(
        published.ABSTRACT,
        claim="a smaller scale in earlier layers generalizes better on tasks that rely on a subset of the features",
    )
    for said, (claimed, others) in readings.items():
        for alpha in published.EXACT_ALPHAS:
            best, rival = (
                np.min(
                    [predicted_error(table, task=_SUBSET_TASK, network=name, alpha=alpha) for name in names]
                )
                for names in (claimed, others)
            )
            yield compare_order(
                f"a subset of the features, alpha = {alpha:g}: powers of ten in error between {said}",
                source,
                exactly(math.log10(rival / best)),
            )


_CURVES3 = Curves(FIGURE3_TASKS, FIGURE3_NETWORKS)
_CURVES5 = Curves(FIGURE5_TASKS, EXAMPLES)
_SMOKE, _SMALL, _FULL = SimulateSpec(100, 4), SimulateSpec(1000, 32), SimulateSpec(4000, 32)


def _sizes(curves: Curves, small: Cost, full: Cost) -> dict[SizeName, Size]:
    return {
        "smoke": Size(partial(curves.parts, published.EXACT_ALPHAS, _SMOKE), Cost(6.0)),
        "small": Size(partial(curves.parts, GRID, _SMALL), small),
        "full": Size(partial(curves.parts, GRID, _FULL), full),
    }


A26_FIGURE3 = Entry(
    name="a26_figure3",
    description="Error curves of five initialisations at overlap 0, 1/2 and 1: exact, and simulated.",
    sizes=_sizes(_CURVES3, Cost(190.0), Cost(5000.0, measured=False)),
    table=curve_table,
    compare=compare_figure3,
)
A26_FIGURE5 = Entry(
    name="a26_figure5",
    description="The four regimes on three tasks (the same features, a subset, new ones): which is best where.",
    sizes=_sizes(_CURVES5, Cost(170.0), Cost(5600.0, measured=False)),
    table=curve_table,
    compare=compare_figure5,
)
