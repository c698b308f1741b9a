"""The two PAC-Bayes inequalities for losses in [0, 1]: what a divergence and a risk cost a Gibbs classifier."""

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from carryover._core.checks import check_range
from carryover._core.errors import InputError
from carryover.numerics.divergences import binary_kl_upper

TILTS = tuple(float(tilt) for tilt in 2.0 ** (np.arange(-10, 11) / 2))
"""Catoni's parameters C that a bound may choose from, 1/32 to 32."""


@runtime_checkable
class Inequality(Protocol):
    """Terms of a bound on L(Q) that holds for all Q at once with probability at least 1 - risk.

    ``training_error`` in [0, 1] is the Gibbs classifier's mean loss on n independent examples, ``kl`` = KL(Q || P)
    in nats with P fixed before them.  The first term is the training error, the others are >= 0.
    """

    def terms(self, training_error: float, kl: float, *, n: int, risk: float) -> dict[str, float]: ...


@dataclass(frozen=True)
class KlInverse:
    """The largest q with kl(Lhat(Q) || q) <= (KL(Q||P) + log(2 sqrt(n) / risk)) / n.

    E exp(n kl(Lhat(h) || L(h))) <= 2 sqrt(n) for each h (for losses in [0, 1] by Maurer's comparison with coins),
    hence for P's mean; Markov's inequality, the change of measure from P to Q and joint convexity of kl do the
    rest.  Reference: Maurer, arXiv cs/0411099, theorems 1 and 5.

    >>> round(sum(KlInverse().terms(0.289307, 1724.0, n=30000, risk=0.05).values()), 4)
    0.4552
    """

    def terms(self, training_error: float, kl: float, *, n: int, risk: float) -> dict[str, float]:
        _check(training_error, kl, n, risk)
        with_kl = binary_kl_upper(training_error, kl / n)
        whole = binary_kl_upper(training_error, (kl + math.log(2 * math.sqrt(n) / risk)) / n)
        return {
            "training_gibbs_error": training_error,
            "divergence": with_kl - training_error,
            "confidence": whole - with_kl,
        }


@dataclass(frozen=True)
class Catoni:
    """The least over C in ``tilts`` of [1 - exp(-C Lhat(Q) - (KL(Q||P) + log(T/risk)) / n)] / (1 - exp(-C)).

    T is the number of tilts: each has its share of the risk, which is the full price of choosing C afterwards.
    With a single tilt, fixed in advance, T = 1 and the price is exact.  Proof: a loss l in [0, 1] has
    exp(-C l) <= 1 - (1 - exp(-C)) l, so E exp(n [F(L(h)) - C Lhat(h)]) <= 1 for each h with
    F(p) = -log(1 - (1 - exp(-C)) p), attained by losses in {0, 1}; Markov, change of measure, and F convex.
    Over all C > 0 at no price this is the inverse of kl at (KL + log(1/risk))/n.  Parts: ``tilt`` is what is left
    without divergence and risk, as the curve in Lhat lies above the diagonal.  No larger than 1 in all.
    Reference: Catoni, PAC-Bayesian supervised classification (2007), theorem 1.2.6.
    Raises InputError for a tilt that is not > 0, or none.

    >>> terms = Catoni((1.0,)).terms(0.1, 0.0, n=100, risk=0.05)
    >>> [round(value, 4) for value in terms.values()]
    [0.1, 0.0505, 0.0, 0.0422]
    """

    tilts: tuple[float, ...] = TILTS

    def __post_init__(self) -> None:
        if not self.tilts or not all(0 < tilt < math.inf for tilt in self.tilts):
            raise InputError(f"tilts must be one or more finite numbers > 0, got {self.tilts}")

    def terms(self, training_error: float, kl: float, *, n: int, risk: float) -> dict[str, float]:
        _check(training_error, kl, n, risk)
        tilts = np.array(self.tilts)
        budgets = np.array([0.0, kl, kl + math.log(len(tilts) / risk)]) / n
        limits = np.expm1(-tilts * training_error - budgets[:, None]) / np.expm1(-tilts)
        best = np.minimum(limits[:, int(np.argmin(limits[2]))], 1.0)
        return {
            "training_gibbs_error": training_error,
            "tilt": max(0.0, float(best[0]) - training_error),
            "divergence": float(best[1] - best[0]),
            "confidence": float(best[2] - best[1]),
        }


def _check(training_error: float, kl: float, n: int, risk: float) -> None:
    check_range("training_error", training_error, 0, 1)
    check_range("kl", kl, 0, math.inf)
    check_range("n", n, 1, math.inf)
    check_range("risk", risk, 0, 1, open_low=True, open_high=True)
