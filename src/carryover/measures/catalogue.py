"""The transferability scores: one table of what each needs, means and costs."""

import math
import sys
from dataclasses import dataclass
from typing import Literal

from carryover._core.errors import InputError

Needs = Literal["features", "source probabilities"]
Task = Literal["classification", "regression"]

TASKS: tuple[Task, ...] = ("classification", "regression")


@dataclass(frozen=True)
class Score:
    """One line of the table.  Every score is higher for the better model.

    ``low`` and ``high`` are the range of the value (None: unbounded).  ``kept`` is the share of the
    examples in the subsamples of its interval and ``max_draws`` the most of them that its cost allows.
    ``merges`` says that the value can be had from sums over shards; the others take a subsample of very
    large data.  ``log_scale``: the interval is made for -log(-value), of a score below 0 whose
    spread is in proportion to its size, and taken back.
    """

    needs: Needs
    tasks: tuple[Task, ...]
    meaning: str
    low: float | None
    high: float | None
    merges: bool
    kept: float = 0.5
    max_draws: int = 50
    log_scale: bool = False

    def to_interval_scale(self, value: float) -> float:
        """The value, or -log(-value), which grows with it too."""
        return -math.log(max(-value, sys.float_info.min)) if self.log_scale else value

    def from_interval_scale(self, value: float) -> float:
        """The inverse of :meth:`to_interval_scale`."""
        return -math.exp(-value) if self.log_scale else value

    def clip(self, interval: tuple[float, float]) -> tuple[float, float]:
        """The part of an interval inside the score's range."""
        low, high = interval
        low = low if self.low is None else min(max(low, self.low), high)
        high = high if self.high is None else max(min(high, self.high), low)
        return low, high


# How much a subsample keeps.  By Hoeffding's decomposition the jackknife's estimate is on average at least
# h/n Var(theta_h), whatever the score: it falls short only as far as Var(theta_h) h is less than Var(theta_n) n.
# Where the score is another functional at h than at n (LogME's prior, H-score's shrinkage, PACTran's
# separability, the rank of a class in TransRate), h must be near n: at n < d half-samples gave .75 of the right
# width for LogME, .46 for TransRate.  Where part of the spread does not shrink with n (a mixture's starting
# point, the ties of few neighbours), that part is multiplied by h/(n - h), so h stays at n/2.
CATALOGUE: dict[str, Score] = {
    "logme": Score(
        needs="features",
        tasks=("classification", "regression"),
        meaning="log evidence, for each example, of a Bayesian linear model of the labels on the features",
        low=None,
        high=None,
        merges=True,
        kept=0.75,
        max_draws=30,
    ),
    "h_score": Score(
        needs="features",
        tasks=("classification",),
        meaning="spread of the class means in units of the features' covariance, which is shrunk",
        low=0.0,
        high=None,
        merges=True,
        kept=0.75,
        max_draws=30,
    ),
    "leep": Score(
        needs="source probabilities",
        tasks=("classification",),
        meaning="log-likelihood of the labels when they are predicted through the source head's probabilities",
        low=None,
        high=0.0,
        merges=True,
    ),
    "nleep": Score(
        needs="features",
        tasks=("classification",),
        meaning="log-likelihood of the labels when they are predicted through clusters of the features",
        low=None,
        high=0.0,
        merges=False,
        max_draws=15,
    ),
    "nce": Score(
        needs="source probabilities",
        tasks=("classification",),
        meaning="minus the entropy of the labels that is left once the source head's predicted class is known",
        low=None,
        high=0.0,
        merges=True,
    ),
    "transrate": Score(
        needs="features",
        tasks=("classification",),
        meaning="nats saved in coding the features when the label is known",
        low=0.0,
        high=None,
        merges=False,
        kept=0.9,
        max_draws=30,
    ),
    "pactran": Score(
        needs="features",
        tasks=("classification",),
        meaning="minus the PAC-Bayes surrogate of a softmax head: its fit, its norm and the flatness it needs",
        low=None,
        high=0.0,
        merges=False,
        kept=0.75,
        max_draws=12,
        log_scale=True,
    ),
    "knn": Score(
        needs="features",
        tasks=("classification", "regression"),
        meaning="leave-one-out accuracy (regression: R^2) of the nearest neighbours by cosine similarity",
        low=None,
        high=1.0,
        merges=False,
        max_draws=30,
    ),
    "ridge_loo": Score(
        needs="features",
        tasks=("classification", "regression"),
        meaning="leave-one-out accuracy (regression: R^2) of a ridge probe, the plain baseline",
        low=None,
        high=1.0,
        merges=True,
        kept=0.75,
        max_draws=30,
    ),
}


def why_not(name: str, *, task: Task, has_source: bool) -> str | None:
    """The reason why a score does not apply to a task, or None where it does.

    >>> why_not("leep", task="classification", has_source=False)
    'leep needs the probabilities of a source head, and none were given'
    >>> why_not("knn", task="regression", has_source=False)
    """
    if name not in CATALOGUE:
        raise InputError(f"score must be one of {', '.join(CATALOGUE)}, got {name!r}")
    score = CATALOGUE[name]
    if task not in score.tasks:
        return f"{name} is defined for {' and '.join(score.tasks)} only, and the task is {task}"
    if score.needs == "source probabilities" and not has_source:
        return f"{name} needs the probabilities of a source head, and none were given"
    return None
