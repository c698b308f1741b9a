"""The binomial distribution's lower tail and its inverse in logarithms, far below what a float can hold."""

import math

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaln, log_expit

from carryover._core.checks import check_range
from carryover._core.errors import InputError


def binomial_limit(count: int, n: int, *, log_risk: float) -> float:
    """The q with log P(Binomial(n, q) <= count) = ``log_risk`` (nats, < 0): 1 where count = n.

    Clopper and Pearson's one-sided upper limit at the risk exp(log_risk), also where that is 0 as a float.
    Raises InputError unless 0 <= count <= n, n >= 1 and log_risk < 0.

    >>> round(binomial_limit(0, 10, log_risk=-5000.0), 6), round(binomial_limit(0, 10, log_risk=-3.0), 6)
    (1.0, 0.259182)
    """
    if n < 1:
        raise InputError(f"n must be at least 1, got {n}")
    check_range("count", count, 0, n)
    check_range("log_risk", log_risk, -math.inf, 0, open_low=True, open_high=True)
    if count == n:
        return 1.0
    i = np.arange(count + 1)
    ways = gammaln(n + 1) - gammaln(i + 1) - gammaln(n - i + 1)

    # n q <= 1 - risk keeps the tail above the risk; at the other end every term is below risk / 2^n.
    low = math.log(-math.expm1(log_risk) / n) - 1
    high = (n * math.log(2) - log_risk) / (n - count) + 1
    found = brentq(
        lambda logit: _log_sum(ways + i * log_expit(logit) + (n - i) * log_expit(-logit)) - log_risk,
        low,
        high,
        xtol=1e-13,
        rtol=1e-15,
    )
    return float(np.exp(log_expit(found)))


def _log_sum(logs: np.ndarray) -> float:
    largest = float(logs.max())
    return largest + math.log(float(np.exp(logs - largest).sum()))
