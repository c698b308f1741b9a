"""Tables of the DHZM24 experiments, their paired contrasts, and the rule that an encoder beats its random start."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from carryover._core.results import Estimate
from carryover._core.seeding import derive_generator
from carryover.experiments.comparisons import Comparison, Published, compare_order, compare_value
from carryover.experiments.rows import Row
from carryover.experiments.summaries import mean_over_runs
from carryover.measures.transfer_envelope import measure_transferability

if TYPE_CHECKING:
    import pandas as pd

DHZM24 = "Deng et al., AISTATS 2024 (DHZM24, arXiv 2403.06871)"
TARGETS = "targets"
"""The label that names a cell's targets, joined by ", "."""
_PRECISION = 0.5  # half width of the exponent's interval beyond which it abstains
Gains = Mapping[str, Estimate]
"""By the name of an encoder, its accuracy less that of its random start, over runs."""


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


def beats(found: Estimate) -> bool:
    """Whether the whole interval lies above 0."""
    return found.ok and found.interval is not None and found.interval[0] > 0.0


def at_random(gains: Gains) -> str:
    """Why there is no conclusion, where one of the encoders does not beat its random start; else nothing.

    >>> at_random({"mae": Estimate(0.02, interval=(-0.01, 0.05))})
    'no conclusion: mae does not beat its own random initialisation (0.02, -0.01 to 0.05)'
    """
    weak = [f"{name} does not beat its own random initialisation ({_said(found)})"
            for name, found in gains.items() if not beats(found)]  # fmt: skip
    return f"no conclusion: {'; '.join(weak)}" if weak else ""


def claimed(what: str, published: Published, contrast: Estimate, gains: Gains) -> Comparison:
    """A claim that ``contrast`` is above 0, judged only where every encoder beats its random start."""
    return _unproven(what, published, contrast, 0.0, gains) or compare_order(what, published, contrast)


def valued(what: str, published: Published, ours: Estimate, gains: Gains, *, matters: float) -> Comparison:
    """Ours beside a number, judged only where every encoder beats its random start."""
    early = _unproven(what, published, ours, matters, gains)
    return early or compare_value(what, published, ours, matters=matters)


def _unproven(
    what: str, published: Published, ours: Estimate, matters: float, gains: Gains
) -> Comparison | None:
    reason = at_random(gains)
    if not reason:
        return None
    return Comparison(what, published, ours, matters, "cannot tell", f"{reason[:1].upper()}{reason[1:]}.")


def _said(found: Estimate) -> str:
    if not found.ok or found.interval is None:
        return found.reason or "no interval"
    low, high = found.interval
    return f"{found.value:.3g}, {low:.3g} to {high:.3g}"


def rank_correlations(predictor: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """Spearman's correlation over the conditions, one for each seed, from (seeds, conditions); ties at mean ranks.

    NaN for a seed in which either is constant or missing somewhere.

    >>> rank_correlations(np.array([[1.0, 2.0, 3.0]]), np.array([[5.0, 6.0, 9.0]]))
    array([1.])
    """
    from scipy.stats import rankdata

    ranks = [rankdata(values, axis=1, nan_policy="propagate") for values in (predictor, outcome)]
    ranks = [values - values.mean(axis=1, keepdims=True) for values in ranks]
    lengths = np.sqrt((ranks[0] ** 2).sum(axis=1) * (ranks[1] ** 2).sum(axis=1))
    known = lengths > 0.0
    products = (ranks[0] * ranks[1]).sum(axis=1)
    return np.where(known, products / np.where(known, lengths, 1.0), np.nan)


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
