"""What the table of dhzm_dense says: rank correlations of the bound's terms with the error, patches beside images."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from carryover._core.results import Estimate
from carryover.experiments.comparisons import Comparison, Published, compare_order, compare_value
from carryover.experiments.entries.dhzm.claims import DHZM24, ENCODER
from carryover.experiments.entries.random_start import PREMISE, beats_random_start
from carryover.experiments.summaries import CORRELATION, joint_confidence, mean_over_runs, rank_correlations

if TYPE_CHECKING:
    import pandas as pd

SOURCE = f"{DHZM24}, the four-term bound; an open question there"
TERMS = {
    "excess": "pretraining excess",
    "radreg": "RadReg of the pool",
    "total_variation": "total variation between pretraining and pool",
}
DENSE, WHOLE = ("segmentation", "offset"), "whole"
MATTERS = 0.3
"""The smallest difference of rank correlations that matters."""
FEWEST = {"excess": 3, "radreg": 4, "total_variation": 4}
"""Encoders of a seed (for the excess: of one objective and source) that a rank correlation is taken over at least."""


def compare_dense(table: "pd.DataFrame") -> tuple[Comparison, ...]:
    """Premise, claims and differences; the intervals of each kind hold jointly at 95 % (Bonferroni)."""
    usable = {task: usable_encoders(table, task) for task in (*DENSE, WHOLE)}
    n_claims, n_differences = len(usable) * len(TERMS), len(DENSE) * len(TERMS)
    found = [_premise(table, task, len(usable)) for task in usable]
    for task, encoders in usable.items():
        for term, said in TERMS.items():
            values = correlations(table, task, term, encoders=encoders)
            found.append(
                compare_order(
                    f"{task}: rank correlation of {said} with the error, mean over seeds "
                    f"({len(encoders)} encoders beat their random start)",
                    Published(SOURCE, claim="the error grows with the term"),
                    _mean(values, n_claims, CORRELATION),
                )
            )
    for task in DENSE:
        both = [one for one in usable[task] if one in usable[WHOLE]]
        for term, said in TERMS.items():
            dense, whole = (correlations(table, name, term, encoders=both) for name in (task, WHOLE))
            apart = dense if isinstance(dense, str) else whole if isinstance(whole, str) else dense - whole
            found.append(
                compare_value(
                    f"{task} less whole images, the same {len(both)} encoders: rank correlation of {said} with "
                    "the error",
                    Published(f"{SOURCE}: do dense tasks follow the same terms?", 0.0),
                    _mean(apart, n_differences, (-2.0, 2.0)),
                    matters=MATTERS,
                )
            )
    return tuple(found)


def _premise(table: "pd.DataFrame", task: str, n: int) -> Comparison:
    own = table[table["task"] == task]
    gains = own.groupby("seed")["gain"].mean() if own["gain"].notna().all() else own["gain"]
    return compare_order(
        f"{task}: error of the random start less that of the trained encoder, mean over encoders",
        Published(PREMISE, claim="pretraining lowers the error of the probe"),
        mean_over_runs(gains.to_numpy(), confidence=joint_confidence(n)),
    )


def usable_encoders(table: "pd.DataFrame", task: str) -> list[tuple[str, str, int]]:
    """Encoders whose gain over their random start, mean over seeds, has a 95 % interval above 0."""
    own = table[table["task"] == task].groupby(ENCODER, sort=False)["gain"]
    return [encoder for encoder, gains in own if beats_random_start(mean_over_runs(gains.to_numpy()))]


def correlations(
    table: "pd.DataFrame", task: str, term: str, *, encoders: Sequence[tuple[str, str, int]]
) -> np.ndarray | str:
    """For each seed Spearman's correlation of ``term`` with the error over ``encoders``, or why there is none.

    The excess is comparable within an objective and source only: the mean of the correlations of those with enough
    numbers of steps.
    """
    few = f"fewer than {FEWEST[term]} encoders"
    families: dict[tuple[str, ...], list[tuple[str, str, int]]] = {}
    for one in encoders:
        families.setdefault(one[:2] if term == "excess" else (), []).append(one)
    families = {name: members for name, members in families.items() if len(members) >= FEWEST[term]}
    if not families:
        which = " of one objective and source" if term == "excess" else ""
        return f"{few}{which} beat their random start on this task, so that nothing can be concluded"
    own = table[table["task"] == task].sort_values("seed")
    runs = {name: rows[[term, "error"]].to_numpy().T for name, rows in own.groupby(ENCODER)}
    values = np.mean([_by_seed([runs[one] for one in members]) for members in families.values()], axis=0)
    if not np.isfinite(values).all():
        return f"for some seed {TERMS[term]} is the same for all encoders, or missing"
    return values


def _by_seed(runs: Sequence[np.ndarray]) -> np.ndarray:
    """The rank correlation over encoders for each seed; ``runs``: of each encoder term and error (2, seeds)."""
    return rank_correlations(*np.stack(runs).transpose(1, 2, 0))


def _mean(values: np.ndarray | str, n: int, limits: tuple[float, float]) -> Estimate:
    if isinstance(values, str):
        return Estimate.missing("abstained", values)
    return mean_over_runs(values, confidence=joint_confidence(n), limits=limits)
