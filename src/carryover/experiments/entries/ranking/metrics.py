"""How well one score of each candidate finds the best of them, where the truth of each is known."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import kendalltau, rankdata

from carryover._core.errors import InputError


@dataclass(frozen=True)
class Judged:
    """``tau``: Kendall's tau-b of scores and truth, 0 where all scores are equal.

    ``regret``: what the pick loses against the best; ``top1``: whether it is the best.  Both are expectations
    where several scores are the highest, one of which is picked at random.  ``missing``: candidates without a
    finite score.
    """

    tau: float
    regret: float
    top1: float
    missing: int


def judge(scores: Float[np.ndarray, " m"], truth: Float[np.ndarray, " m"]) -> Judged:
    """One score (m,) against the truth (m,) of the same candidates; higher is better in both.

    Scores that are NaN or infinite rank below all others, tied: whoever is handed one cannot choose by it.
    Raises InputError for fewer than two candidates, lengths that differ and a truth that is not finite.

    >>> judge(np.array([3.0, 1.0, 2.0]), np.array([0.9, 0.5, 0.6]))
    Judged(tau=1.0, regret=0.0, top1=1.0, missing=0)
    """
    scores, truth = np.asarray(scores, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if scores.shape != truth.shape or scores.ndim != 1 or len(scores) < 2:
        raise InputError(
            f"scores and truth must be of the same 2 or more candidates, got {scores.shape}, {truth.shape}"
        )
    if not np.isfinite(truth).all():
        raise InputError(f"truth must be finite, got {truth}")
    finite = np.isfinite(scores)
    ranks = np.where(finite, rankdata(np.where(finite, scores, 0.0)), 0.0)
    picked = truth[ranks == ranks.max()]
    tau = 0.0 if np.ptp(ranks) == 0.0 or np.ptp(truth) == 0.0 else float(kendalltau(ranks, truth).statistic)
    return Judged(
        tau=tau,
        regret=float(truth.max() - picked.mean()),
        top1=float((picked == truth.max()).mean()),
        missing=int((~finite).sum()),
    )
