"""Error curves of diagonal networks as cells, a table, and comparisons with exact values."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import t as student_t

from carryover._core.results import Estimate
from carryover.experiments.comparisons import Comparison, Published, compare_value, exactly
from carryover.experiments.compute import Compute
from carryover.experiments.entries.a26 import values as published
from carryover.experiments.entry import Part
from carryover.experiments.inputs import Inputs
from carryover.experiments.rows import Row
from carryover.experiments.summaries import joint_confidence
from carryover.experiments.theory_cells import (
    SimulateSpec,
    TheoryCell,
    labelled_cell,
    predict_many,
    predict_one,
)
from carryover.theory import Network, Task

if TYPE_CHECKING:
    import pandas as pd

GRID = tuple(sorted({*published.EXACT_ALPHAS, *np.round(np.linspace(0.02, 0.98, 49), 3).tolist()}))
SIMULATED_ALPHAS = (0.1, 0.2, 0.3, 0.4, 0.5)
PREDICTED, SIMULATED = "predicted", "simulated"
_COMPARED_ABOVE = 1e-3  # below it a few unlucky tasks decide the mean
_MATTERS = 0.2  # of the exact value, for simulated points
_COLUMNS = (
    "kind", "task", "network", "alpha", "generalization_error", "std_error", "low", "high", "dimension", "seeds",
    "status", "reason",
)  # fmt: skip


@dataclass(frozen=True)
class Curves:
    """The tasks and networks of a figure, by name."""

    tasks: Mapping[str, Task]
    networks: Mapping[str, Network]

    def parts(self, alphas: Sequence[float], simulate: SimulateSpec, _: Inputs) -> tuple[Part, ...]:
        """Predictions at ``alphas``, and simulations at five of them."""
        simulated = Part(tuple(self._cells(SIMULATED_ALPHAS, simulate)), Compute(predict_one))
        return Part(tuple(self._cells(alphas, None)), Compute(predict_one, predict_many)), simulated

    def _cells(self, alphas: Sequence[float], simulate: SimulateSpec | None) -> Iterator:
        named = product(self.tasks.items(), self.networks.items(), alphas)
        size = {"dimension": simulate.dimension, "seeds": simulate.seeds} if simulate else {}
        for (task_name, task), (network_name, network), alpha in named:
            labels = {"task": task_name, "network": network_name, "alpha": alpha, **size}
            kind = SIMULATED if simulate else PREDICTED
            yield labelled_cell(TheoryCell(alpha, task, network, simulate=simulate), {"kind": kind, **labels})

    def exact(self) -> Iterator[tuple[str, str, published.ExactCurve]]:
        """The exact curves that the figure has, with the names of their task and network."""
        for curve in published.EXACT:
            task = next((name for name, one in self.tasks.items() if one == curve.task), None)
            network = next((name for name, one in self.networks.items() if one == curve.network), None)
            if task is not None and network is not None:
                yield task, network, curve


def curve_table(rows: Sequence[Row]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame([_point(row) for row in rows]).reindex(columns=list(_COLUMNS))


def _point(row: Row) -> Row:
    """A prediction, or the mean of simulated tasks with its standard error and 95 % interval."""
    if row["kind"] == PREDICTED or row["status"] != "ok":
        return dict(row)
    low, high = row["simulated_error_low"], row["simulated_error_high"]
    reason = row["simulated_error_reason"]
    point = {
        **row,
        "generalization_error": row["simulated_error"],
        "low": low,
        "high": high,
        "reason": reason,
    }
    point["status"] = row["simulated_error_status"]
    if low is not None:
        point["std_error"] = (high - low) / 2.0 / float(student_t.ppf(0.975, row["seeds"] - 1))
    return point


def _at(table: "pd.DataFrame", kind: str, *, task: str, network: str, alpha: float) -> "pd.Series | None":
    of = (table["kind"] == kind) & (table["task"] == task) & (table["network"] == network)
    found = table[of & np.isclose(table["alpha"], alpha)]
    return None if found.empty else found.iloc[0]


def predicted_error(table: "pd.DataFrame", *, task: str, network: str, alpha: float) -> float:
    """NaN where there is no prediction."""
    row = _at(table, PREDICTED, task=task, network=network, alpha=alpha)
    return math.nan if row is None or row["status"] != "ok" else float(row["generalization_error"])


def predicted_against_exact(curves: Curves, table: "pd.DataFrame") -> Iterator[Comparison]:
    """The largest relative distance of a predicted curve from its exact values."""
    for task, network, curve in curves.exact():
        ours = [
            predicted_error(table, task=task, network=network, alpha=alpha)
            for alpha in published.EXACT_ALPHAS
        ]
        apart = float(np.max(np.abs(np.array(ours) / np.array(curve.errors) - 1.0)))
        yield compare_value(
            f"{task}, {network}: largest relative distance from {len(curve.errors)} exact errors",
            Published(published.EXACT_SOURCE, 0.0, uncertainty=published.RELATIVE_ROUNDING),
            exactly(apart),
            matters=1e-5,
        )


def simulated_against_exact(curves: Curves, table: "pd.DataFrame") -> list[Comparison]:
    """Simulated means beside exact values above 1e-3; the intervals hold jointly at 95 %."""
    pairs = []
    for task, network, curve in curves.exact():
        for alpha, error in zip(published.EXACT_ALPHAS, curve.errors, strict=True):
            row = _at(table, SIMULATED, task=task, network=network, alpha=alpha)
            if row is not None and error > _COMPARED_ABOVE:
                pairs.append((f"{task}, {network}, alpha = {alpha:g}: simulated error", error, row))
    return [
        compare_value(
            what,
            Published(published.EXACT_SOURCE, error, uncertainty=published.RELATIVE_ROUNDING * error),
            _joint(row, len(pairs)),
            matters=_MATTERS * error,
        )
        for what, error, row in pairs
    ]


def _joint(row: "pd.Series", count: int) -> Estimate:
    """The simulated mean with an interval that holds for ``count`` of them at once (Bonferroni)."""
    if row["status"] != "ok":
        return Estimate.missing("failed", str(row["reason"]))
    mean, n = float(row["generalization_error"]), int(row["seeds"])
    confidence = joint_confidence(count)
    half = float(student_t.ppf(0.5 + confidence / 2.0, n - 1)) * float(row["std_error"])
    return Estimate(mean, float(row["std_error"]), (mean - half, mean + half), n, confidence)
