"""The rule of every conclusion about pretraining: an encoder counts where it beats its own random start."""

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import rankdata

from carryover.experiments.summaries import mean_over_runs

if TYPE_CHECKING:
    import pandas as pd

PREMISE = "premise of every conclusion here: an encoder beats its own random start"
ENCODER = ["objective", "source", "steps"]
"""Columns that name an encoder of every seed."""


def beats_random_start(gains: "pd.Series | np.ndarray") -> bool:
    """Whether the errors of the random starts less those of the trained encoders (seeds,) lie above 0 on average.

    By a 95 % interval over seeds; a run that failed (NaN) says no.

    >>> beats_random_start(np.array([0.10, 0.12, 0.11])), beats_random_start(np.array([0.1, 0.2, -0.3]))
    (True, False)
    """
    found = mean_over_runs(np.asarray(gains, dtype=float))
    return found.ok and found.interval[0] > 0.0


def rank_correlation(term: "pd.Series | np.ndarray", error: "pd.Series | np.ndarray") -> float:
    """Spearman's correlation of two columns (encoders,); NaN where a value is missing or a column does not vary."""
    pair = np.stack([np.asarray(term, dtype=float), np.asarray(error, dtype=float)])
    if not np.isfinite(pair).all() or (np.ptp(pair, axis=1) == 0.0).any():
        return float("nan")
    return float(np.corrcoef(rankdata(pair, axis=1))[0, 1])
