"""The binary relative entropy, its two inverses, and exact binomial limits: the currency of error-rate bounds."""

import math

from scipy.optimize import brentq
from scipy.special import betaincinv

from carryover._core.checks import check_range
from carryover._core.errors import InputError

_SERIES_BELOW = 1e-2
_NO_PROBABILITY = (
    1e-300  # below this, step / p may overflow; p log(1 + step / p) is then far below every digit
)


def _excess_over_log1p(x: float) -> float:
    """x - log(1 + x), by its series near zero, where the difference of the two would lose every digit."""
    if abs(x) > _SERIES_BELOW:
        return math.inf if x <= -1 else x - math.log1p(x)
    return sum((-1) ** k * x**k / k for k in range(10, 1, -1))


def _kl_at_step(p: float, step: float) -> float:
    """kl(p || p + step) as p f(step/p) + (1-p) f(-step/(1-p)), f(x) = x - log(1+x): two non-negative terms."""
    below = step if p < _NO_PROBABILITY else p * _excess_over_log1p(step / p)
    above = -step if p == 1 else (1 - p) * _excess_over_log1p(-step / (1 - p))
    return below + above


def binary_kl(p: float, q: float) -> float:
    """Relative entropy of two coins, kl(p || q) = p log(p/q) + (1-p) log((1-p)/(1-q)), in nats.

    ``p`` and ``q`` lie in [0, 1]; 0 log 0 = 0, and the value is infinite where ``q`` rules out what ``p`` allows.
    Accurate also for q next to p.  Raises InputError outside [0, 1].

    >>> round(binary_kl(0.5, 0.25), 6)
    0.143841
    """
    check_range("p", p, 0, 1)
    check_range("q", q, 0, 1)
    if p == q:
        return 0.0
    if q in (0, 1):
        return math.inf
    return _kl_at_step(p, q - p)


def binary_kl_upper(p: float, budget: float) -> float:
    """The largest q in [p, 1] with kl(p || q) <= ``budget`` (nats), to 1e-12.

    An infinite budget gives 1.  Reference: Langford, Tutorial on practical prediction theory for
    classification, JMLR 6 (2005).  Raises InputError for p outside [0, 1] or a negative budget.

    >>> import math
    >>> round(binary_kl_upper(0.289307, (1724 + math.log(2 * math.sqrt(30000) / 0.05)) / 30000), 4)
    0.4552
    """
    check_range("p", p, 0, 1)
    check_range("budget", budget, 0, math.inf)
    if p == 1 or budget == 0:
        return float(p)
    if p == 0:
        return -math.expm1(-budget)
    largest = (1 - p) * (1 - 1e-15)
    if _kl_at_step(p, largest) <= budget:
        return 1.0
    pinsker = min(largest, 1.01 * math.sqrt(budget / 2))
    return p + brentq(lambda step: _kl_at_step(p, step) - budget, 0.0, pinsker, xtol=1e-16)


def binary_kl_lower(p: float, budget: float) -> float:
    """The smallest q in [0, p] with kl(p || q) <= ``budget`` (nats), to 1e-12.

    By symmetry one minus the upper inverse at 1 - p.  Raises InputError as :func:`binary_kl_upper`.

    >>> round(binary_kl_lower(1.0, 0.5), 6)
    0.606531
    """
    check_range("p", p, 0, 1)
    return 1.0 - binary_kl_upper(1.0 - p, budget)


def _check_count(count: int, n: int) -> None:
    if n < 1:
        raise InputError(f"n must be at least 1, got {n}")
    check_range("count", count, 0, n)


def clopper_pearson_upper(count: int, n: int, *, confidence: float = 0.95) -> float:
    """Exact one-sided upper limit on a probability after ``count`` successes in ``n`` independent trials.

    The q at which P(Binomial(n, q) <= count) = 1 - confidence, a quantile of Beta(count + 1, n - count).
    Reference: Clopper and Pearson, Biometrika 26 (1934).  Raises InputError unless 0 <= count <= n, n >= 1.

    >>> round(clopper_pearson_upper(0, 10), 6)
    0.258866
    """
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    _check_count(count, n)
    return 1.0 if count == n else float(betaincinv(count + 1, n - count, confidence))


def clopper_pearson_lower(count: int, n: int, *, confidence: float = 0.95) -> float:
    """Exact one-sided lower limit on a probability after ``count`` successes in ``n`` independent trials.

    The q at which P(Binomial(n, q) >= count) = 1 - confidence.  Raises InputError as the upper limit.

    >>> round(clopper_pearson_lower(10, 10), 6)
    0.741134
    """
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    _check_count(count, n)
    return 0.0 if count == 0 else float(betaincinv(count, n - count + 1, 1 - confidence))
