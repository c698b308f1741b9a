"""Rank correlations of predictors with the downstream error over the family's runs, with bootstrap intervals."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from bounds_family import REGULARIZED_STEPS
from bounds_measuring import SCORES
from scipy.stats import rankdata

from carryover._core.seeding import derive_generator

TARGET = "error_few"
FEWEST = 8
DRAWS = 2_000
PREDICTORS: Mapping[str, tuple[str, float]] = {
    "pretraining excess E_U": ("excess", 1.0),
    "C E_U^beta": ("term_transferability", 1.0),
    "complexity, own norm": ("term_rademacher", 1.0),
    "complexity, norm 1": ("unit_complexity", 1.0),
    "confidence": ("term_confidence", 1.0),
    "total variation": ("term_total_variation", 1.0),
    "residual": ("term_residual", 1.0),
    "sum of the five terms": ("term_sum", 1.0),
    "sum without C E_U^beta": ("term_sum_without_transferability", 1.0),
    **{f"`{name}`": (name, -1.0) for name in SCORES},
    "steps of pretraining": ("steps", -1.0),
}
"""Words, column, and +1 where more of it should mean more downstream error, -1 where less."""


def settings(table: pd.DataFrame) -> dict[str, tuple[pd.DataFrame, bool]]:
    """By name, the runs of a comparison, and whether correlations are taken within each objective and averaged."""
    plain = table["regularizer"] == "none"
    equal = table["steps"] == REGULARIZED_STEPS
    return {
        "a": (table, False),
        "b": (table, True),
        "c": (table[plain], True),
        "d": (table[equal], True),
    }


def spearman(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation along the last axis, ties at their mean rank; NaN where one side is constant."""
    ranks = [rankdata(part, axis=-1) for part in (first, second)]
    ranks = [part - part.mean(axis=-1, keepdims=True) for part in ranks]
    spreads = np.sqrt((ranks[0] ** 2).sum(axis=-1) * (ranks[1] ** 2).sum(axis=-1))
    with np.errstate(invalid="ignore"):
        return np.where(spreads > 0, (ranks[0] * ranks[1]).sum(axis=-1) / np.maximum(spreads, 1e-300), np.nan)


def rank_correlation(
    table: pd.DataFrame, column: str, sign: float, *, within: bool
) -> tuple[float, float, float] | None:
    """Value and 95 % percentile interval over runs resampled within their objective; None where it abstains.

    ``within``: the mean over objectives of the correlation within each.  Objectives in which the predictor is
    missing or constant, or that have fewer than 8 runs, are left out; it abstains where none remains.
    """
    known = table[table[column].notna()]
    parts = [part for _, part in known.groupby("objective", sort=False)]
    if within:
        parts = [part for part in parts if len(part) >= FEWEST and part[column].nunique() > 1]
    if not parts or sum(map(len, parts)) < FEWEST or known[column].nunique() < 2:
        return None
    generator = derive_generator(0, "ranks")
    drawn, fixed = [], []
    for part in parts:
        values = np.stack([sign * part[column].to_numpy(float), part[TARGET].to_numpy(float)])
        rows = generator.integers(len(part), size=(DRAWS, len(part)))
        drawn.append(values[:, rows])
        fixed.append(values)
    if within:
        value = float(np.mean([spearman(*part) for part in fixed]))
        draws = np.nanmean([spearman(*part) for part in drawn], axis=0)
    else:
        value = float(spearman(*np.concatenate(fixed, axis=-1)))
        draws = spearman(*np.concatenate(drawn, axis=-1))
    low, high = np.nanquantile(draws, [0.025, 0.975])
    return value, min(value, float(low)), max(value, float(high))
