"""The binomial limit at risks that no float can hold, against arbitrary precision and the ordinary limit."""

import math

import mpmath
import pytest
from scipy.special import betainccinv

from carryover._core.errors import InputError
from carryover.numerics.binomial import binomial_limit
from carryover.numerics.divergences import binary_kl_upper


def _log_tail(count, n, q):
    with mpmath.workdps(60):
        q = mpmath.mpf(q)
        return float(
            mpmath.log(sum(mpmath.binomial(n, i) * q**i * (1 - q) ** (n - i) for i in range(count + 1)))
        )


@pytest.mark.parametrize(("count", "n"), [(0, 1), (0, 50), (7, 50), (49, 50), (300, 100_000)])
@pytest.mark.parametrize("risk", [0.999, 0.5, 0.05, 1e-12])
def test_is_clopper_and_pearsons_limit(count, n, risk):
    found = binomial_limit(count, n, log_risk=math.log(risk))
    assert found == pytest.approx(betainccinv(count + 1, n - count, risk), rel=1e-8)


@pytest.mark.parametrize(
    ("count", "n", "log_risk"), [(30, 2000, -5000.0), (3, 40, -200.0), (700, 900, -900.0)]
)
def test_tail_is_the_risk_far_below_any_float(count, n, log_risk):
    found = binomial_limit(count, n, log_risk=log_risk)
    if found < 1 - 1e-9:
        assert _log_tail(count, n, found) == pytest.approx(log_risk, rel=1e-6)
    assert found <= binary_kl_upper(count / n, -log_risk / n)
    assert binomial_limit(count, n, log_risk=2 * log_risk) >= found


def test_ends():
    assert binomial_limit(10, 10, log_risk=-1e-9) == 1.0
    assert binomial_limit(9, 10, log_risk=-1e6) == pytest.approx(1.0)
    assert binomial_limit(0, 10, log_risk=-1e-9) == pytest.approx(1e-10, rel=1e-6)


def test_misuse_is_named():
    with pytest.raises(InputError, match=r"log_risk must lie in \(-inf, 0\), got 0"):
        binomial_limit(1, 10, log_risk=0.0)
    with pytest.raises(InputError, match=r"count must lie in \[0, 10\], got 11"):
        binomial_limit(11, 10, log_risk=-1.0)
    with pytest.raises(InputError, match="n must be at least 1, got 0"):
        binomial_limit(0, 0, log_risk=-1.0)
