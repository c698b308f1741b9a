"""Measured transferability: (C, beta) over a family of checkpoints, an envelope that lies above all of them.

On logarithmic axes downstream excess <= C (pretraining excess)^beta is a line above the checkpoints.  Its slope
is fitted, its height raised until no checkpoint lies above.  It describes the family it was fitted to, over the
range of excesses seen there; it is an estimate and proves nothing about another checkpoint.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Num, Shaped
from scipy.stats import t as student_t

from carryover._core.checks import check_range
from carryover._core.errors import InputError
from carryover._core.results import Estimate
from carryover.measures.checkpoint_family import CheckpointFamily, read_family, unsupported
from carryover.measures.noisy_line import NoisyLine


@dataclass(frozen=True)
class MeasuredTransferability:
    """``constant`` C of the envelope and its ``exponent`` beta; both missing, with one reason, where it
    abstains.

    ``typical_constant`` is that of the fitted line, which passes through the middle of the checkpoints.
    ``excess_range`` are the smallest and largest pretraining excess used.  Left out are checkpoints
    (``n_checkpoints`` - ``n_used``) an excess of which is below 3 standard errors or not positive, such as the
    best one, whose excess is 0; ``n_uncovered`` of them lie above the envelope by more than 2 standard errors
    in both directions.
    """

    exponent: Estimate
    constant: Estimate
    typical_constant: float | None
    excess_range: tuple[float, float] | None
    n_checkpoints: int
    n_used: int
    n_uncovered: int
    n_groups: int

    @property
    def ok(self) -> bool:
        return self.exponent.ok

    def excess(self, pretraining_excess: float) -> float:
        """The envelope C E^beta; raises InputError for a negative excess, or where it abstained."""
        check_range("pretraining_excess", pretraining_excess, 0, math.inf)
        if not self.ok:
            raise InputError(f"there is no measured pair (C, beta) to use: {self.exponent.reason}")
        return self.constant.value * pretraining_excess**self.exponent.value


def measure_transferability(
    pretraining_excess: Num[np.ndarray, " c"],
    downstream_excess: Num[np.ndarray, " c2"],
    *,
    pretraining_std_error: Num[np.ndarray, " c3"] | None = None,
    downstream_std_error: Num[np.ndarray, " c4"] | None = None,
    groups: Shaped[np.ndarray, " c5"] | None = None,
    precision: float = 0.1,
    confidence: float = 0.95,
    n_draws: int = 1000,
    generator: np.random.Generator,
) -> MeasuredTransferability:
    """Fit (C, beta) to c checkpoints: excess pretraining and downstream losses over one reference, h*.

    Standard errors None mean exact values.  The slope is the weighted least-squares one, corrected for noise in
    both excesses (:func:`~carryover.measures.noisy_line.fit_noisy_line`); C is the largest of excess_T /
    excess_U^beta. Interval of beta: the slope's standard error is the larger of a wild bootstrap's (residuals
    with random signs, one sign for each of ``groups``, such as the runs that checkpoints are from) and of the
    fitted noise model's; Student's t with as many degrees of freedom as groups less 2.  Interval of C:
    percentiles over the same draws.

    Abstains with fewer than 5 usable checkpoints (or groups); where their pretraining excesses lie within a
    factor of 3 or are noise for more than a fifth of their spread; where the interval of beta reaches 0 or
    below (no positive trend); and where it reaches further than ``precision`` to either side. Reference: Wu,
    Ann. Statist. 14 (1986) (wild bootstrap); Cameron, Gelbach and Miller, Rev. Econ. Stat. 90 (2008) (by
    group).  Raises InputError for lengths that differ, values that are not finite, negative standard errors, an
    empty family, and arguments outside their range.

    >>> excess = np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.5])
    >>> found = measure_transferability(excess, 3 * excess**0.5, generator=np.random.default_rng(0))
    >>> round(found.exponent.value, 6), round(found.constant.value, 6)
    (0.5, 3.0)
    """
    check_range("precision", precision, 0, math.inf, open_low=True)
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    check_range("n_draws", n_draws, 100, math.inf)
    family = read_family(
        pretraining_excess,
        downstream_excess,
        pretraining_std_error=pretraining_std_error,
        downstream_std_error=downstream_std_error,
        groups=groups,
    )
    used = family.resolved()
    reason = unsupported(family.only(used))
    if reason is not None:
        return _abstained(family, used, reason)
    fit = family.only(used).line()
    draws = _bootstrap(fit, family.codes[used], n_draws, generator)
    half = _half_width(fit, draws, family.only(used).n_groups, confidence)
    reason = _unsupported_by_fit(fit, half, precision, confidence)
    return _abstained(family, used, reason) if reason else _record(family, used, fit, draws, half, confidence)


def _bootstrap(fit: NoisyLine, codes: np.ndarray, n_draws: int, generator: np.random.Generator) -> np.ndarray:
    """Slopes and log constants of the envelope (2, draws), with the signs of whole groups' residuals redrawn."""
    names, group = np.unique(codes, return_inverse=True)
    signs = generator.choice([-1.0, 1.0], size=(n_draws, len(names)))[:, group]
    moved = fit.fitted + signs * fit.residuals / np.sqrt(np.maximum(1 - fit.leverage, 0.1))
    slopes = moved @ fit.coefficients
    return np.stack([slopes, (moved - slopes[:, None] * fit.x).max(axis=1)])


def _half_width(fit: NoisyLine, draws: np.ndarray, n_groups: int, confidence: float) -> float:
    std_error = max(float(draws[0].std()), fit.slope_std_error)
    return std_error * float(student_t.ppf((1 + confidence) / 2, n_groups - 2))


def _unsupported_by_fit(fit: NoisyLine, half: float, precision: float, confidence: float) -> str | None:
    """Why the fitted line should not be reported, if so."""
    known = f"the exponent is {fit.slope:.2g} +- {half:.2g} at confidence {confidence:g}"
    if fit.slope - half <= 0:
        return f"no positive relation is established: {known}"
    if half > precision:
        return f"{known}, wider than the {precision:g} to either side that was asked for"
    return None


def _record(
    family: CheckpointFamily,
    used: np.ndarray,
    fit: NoisyLine,
    draws: np.ndarray,
    half: float,
    confidence: float,
) -> MeasuredTransferability:
    x, y = np.log(family.pretraining[used]), np.log(family.downstream[used])
    height = float((y - fit.slope * x).max())
    low, high = np.quantile(draws[1], [(1 - confidence) / 2, (1 + confidence) / 2])
    interval = math.exp(min(height, float(low))), math.exp(max(height, float(high)))
    count = int(used.sum())
    reach = np.maximum(family.pretraining + 2 * family.pretraining_error, 0.0)
    above = family.downstream - 2 * family.downstream_error > math.exp(height) * reach**fit.slope
    n_groups = family.only(used).n_groups
    std_error = half / float(student_t.ppf((1 + confidence) / 2, n_groups - 2))
    return MeasuredTransferability(
        exponent=Estimate(
            fit.slope, std_error, (fit.slope - half, fit.slope + half), count, confidence=confidence
        ),
        constant=Estimate(math.exp(height), None, interval, count, confidence=confidence),
        typical_constant=math.exp(fit.intercept),
        excess_range=(float(family.pretraining[used].min()), float(family.pretraining[used].max())),
        n_checkpoints=len(used),
        n_used=count,
        n_uncovered=int((above & ~used).sum()),
        n_groups=n_groups,
    )


def _abstained(family: CheckpointFamily, used: np.ndarray, reason: str) -> MeasuredTransferability:
    missing = Estimate.missing("abstained", reason)
    count = int(used.sum())
    return MeasuredTransferability(
        missing, missing, None, None, len(used), count, 0, family.only(used).n_groups
    )
