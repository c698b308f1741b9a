"""Tables of the DHZM24 experiments, and what their claims share: gains over the random start, the exponent."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from carryover._core.results import Estimate
from carryover._core.seeding import derive_generator
from carryover.experiments.rows import Row
from carryover.experiments.summaries import mean_over_runs
from carryover.measures.transfer_envelope import measure_transferability

if TYPE_CHECKING:
    import pandas as pd

DHZM24 = "Deng et al., AISTATS 2024 (DHZM24, arXiv 2403.06871)"
BOUND = f"the bound of {DHZM24}, in words: not a published number"
TARGETS = "targets"
"""The label that names a cell's targets, joined by ", "."""
ENCODER = ["objective", "source", "steps"]
"""Columns that name an encoder of every seed, in dhzm_dense and dhzm_multitask."""
_PRECISION = 0.5  # half width of the exponent's interval beyond which it abstains


def by_target(rows: Sequence[Row], columns: Sequence[str]) -> "pd.DataFrame":
    """A row for each cell and target, with ``columns``; the target's own measures without its name before them."""
    import pandas as pd

    found = []
    for row in rows:
        for target in str(row[TARGETS]).split(", "):
            begins = f"{target}."
            own = {key.removeprefix(begins): value for key, value in row.items() if key.startswith(begins)}
            common = {key: value for key, value in row.items() if "." not in key and key != TARGETS}
            found.append({**common, "target": target, **own})
    return pd.DataFrame(found).reindex(columns=list(columns))


def pivoted(table: "pd.DataFrame", by: str, column: str) -> "pd.DataFrame":
    """``column`` as (seeds, values of ``by``), NaN for a cell that failed; ``table`` has each pair at most once."""
    return table.pivot(index="seed", columns=by, values=column).astype(float)


def gain(table: "pd.DataFrame", measure: str, *, confidence: float = 0.95) -> Estimate:
    """Mean over runs of ``measure`` less that of the same encoder before pretraining ("start_" before its name)."""
    values = table[measure].astype(float) - table[f"start_{measure}"].astype(float)
    return mean_over_runs(values.to_numpy(), confidence=confidence)


def exponent(losses: np.ndarray, errors: np.ndarray) -> Estimate:
    """beta of (C, beta) from losses and downstream losses (seeds, conditions)."""
    if not (np.isfinite(losses).all() and np.isfinite(errors).all() and len(losses) > 1):
        return Estimate.missing("failed", "a run failed, or there are fewer than two seeds")
    best = int(losses.mean(axis=0).argmin())
    excesses = [values - values[:, [best]] for values in (losses, errors)]
    means = [values.mean(axis=0) for values in excesses]
    deviations = [values.std(axis=0, ddof=1) / np.sqrt(len(values)) for values in excesses]
    found = measure_transferability(
        *means,
        pretraining_std_error=deviations[0],
        downstream_std_error=deviations[1],
        precision=_PRECISION,
        generator=derive_generator(0, "transferability"),
    )
    return found.exponent
