"""The table of (C, beta): from the error of a score to the excess of a downstream loss.

With D = factor * (pretraining excess) at least E ||s - s*||^2
(:class:`~carryover.measures.transferability.ScoreError`):

    downstream loss                                            downstream excess at most               beta
    squared, weight b, E[y|x] = s*                             b D                                     1
    G-Lipschitz in the score                                   G D^(1/2)                               1/2
    0-1, |s*| >= gamma (K outputs: margin >= gamma)            D / gamma^2  (K outputs: 2 D / gamma^2)  1
    0-1, s* = E[y|x] with y = +-1                              D^(1/2)                                 1/2
    the same with P(|s*| <= t) <= (t / t0)^a                   c t0^(-a/(2+a)) D^((1+a)/(2+a))         (1+a)/(2+a)

Proofs: docs/transfer_bound.md.
"""

import math
from dataclasses import dataclass

from carryover._core.checks import check_range
from carryover._core.errors import InputError
from carryover._core.results import Assumption, Status
from carryover.measures.transferability import ScoreError


@dataclass(frozen=True)
class Squared:
    """Downstream loss  weight * (s - y)^2  whose best score on h* is E[y|x]."""

    weight: float = 0.5


@dataclass(frozen=True)
class Lipschitz:
    """A downstream loss that moves by at most ``constant`` times the score's change (2-norm over outputs)."""

    constant: float = 1.0


@dataclass(frozen=True)
class HardMargin:
    """0-1 loss where the best score on h* decides by at least ``margin`` almost surely.

    For one output the margin is |s*|; for K outputs the largest entry less the next.
    """

    margin: float
    n_outputs: int = 1


@dataclass(frozen=True)
class LowNoise:
    """0-1 loss of y = +-1 with s* = E[y|x] and P(|s*| <= t) <= (t / scale)^exponent; exponent 0: anything."""

    exponent: float = 0.0
    scale: float = 1.0


Downstream = Squared | Lipschitz | HardMargin | LowNoise


@dataclass(frozen=True)
class TransferPair:
    """Downstream excess <= ``constant`` * (pretraining excess)^``exponent``, or the reason why that is not
    known.

    Both are None unless ``status`` is "ok".  ``exact``: every assumption was checked or declared to be true of
    the law.
    """

    constant: float | None
    exponent: float | None
    pretraining: str
    downstream: str
    assumptions: tuple[Assumption, ...]
    status: Status = "ok"
    reason: str | None = None

    @property
    def ok(self) -> bool:
        return self.status == "ok"

    @property
    def exact(self) -> bool:
        return self.ok and all(one.state == "checked" for one in self.assumptions)

    def excess(self, pretraining_excess: float) -> float:
        """C * E^beta; raises InputError for a negative excess, or where there is no pair."""
        check_range("pretraining_excess", pretraining_excess, 0, math.inf)
        if not self.ok:
            raise InputError(f"there is no pair (C, beta) to use: {self.reason}")
        return self.constant * pretraining_excess**self.exponent


def transfer_pair(error: ScoreError, downstream: Downstream, *, law_known: bool = False) -> TransferPair:
    """(C, beta) of a pretraining loss, through its score error, and a downstream loss; the table above.

    ``law_known``: what ``downstream`` says of the law (its noise, its margin, that s* = E[y|x]) is known to be
    true. Abstains where the score error did.  Raises InputError for constants of the loss outside their range.

    >>> from carryover.measures.transferability import squared_score_error
    >>> import numpy as np
    >>> squared = squared_score_error(np.array([[3.0, 4.0]]), np.eye(2), law_known=True)
    >>> [round(transfer_pair(squared, loss).constant, 4) for loss in (Lipschitz(1.0), Squared(0.5), Squared(1.0))]
    [7.0711, 25.0, 50.0]
    """
    power, per_factor, name, needed = _rule(downstream)
    state = "checked" if law_known else "not_checkable"
    assumptions = error.assumptions + ((Assumption(needed, state),) if needed else ())
    if not error.ok:
        return TransferPair(None, None, error.pretraining, name, assumptions, error.status, error.reason)
    return TransferPair(per_factor * error.factor**power, power, error.pretraining, name, assumptions)


def _rule(downstream: Downstream) -> tuple[float, float, str, str | None]:
    """beta, C at factor 1, the loss in words, and what is assumed of the law."""
    if isinstance(downstream, Squared):
        check_range("weight", downstream.weight, 0, math.inf, open_low=True, open_high=True)
        return 1.0, downstream.weight, "squared", "The best downstream score on the best encoder is E[y|x]."
    if isinstance(downstream, Lipschitz):
        check_range("constant", downstream.constant, 0, math.inf, open_low=True, open_high=True)
        return 0.5, downstream.constant, f"{downstream.constant:g}-Lipschitz", None
    if isinstance(downstream, HardMargin):
        check_range("margin", downstream.margin, 0, math.inf, open_low=True, open_high=True)
        check_range("n_outputs", downstream.n_outputs, 1, math.inf)
        outputs = 1.0 if downstream.n_outputs == 1 else 2.0
        needed = (
            f"The best score on the best encoder decides by at least {downstream.margin:g} almost surely."
        )
        return 1.0, outputs / downstream.margin**2, "0-1 with a margin", needed
    check_range("exponent", downstream.exponent, 0, math.inf, open_high=True)
    check_range("scale", downstream.scale, 0, math.inf, open_low=True, open_high=True)
    needed = (
        f"The best score is E[y|x], y = +-1, and is at most t in size with probability at most "
        f"(t/{downstream.scale:g})^{downstream.exponent:g}."
    )
    return *_low_noise(downstream.exponent, downstream.scale), "0-1", needed


def _low_noise(a: float, scale: float) -> tuple[float, float]:
    """beta and C at factor 1: the least of  t (t/scale)^a + D/t  over t, or D^(1/2) where nothing is assumed."""
    if a == 0:
        return 0.5, 1.0
    constant = (2 + a) * (1 + a) ** (-(1 + a) / (2 + a)) * scale ** (-a / (2 + a))
    return (1 + a) / (2 + a), constant
