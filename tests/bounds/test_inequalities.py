"""The PAC-Bayes inequalities: exact failure rates over the binomial law, limits, kl inverse as envelope."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from carryover._core.errors import InputError
from carryover.bounds.inequalities import TILTS, Catoni, Inequality, KlInverse
from carryover.numerics.divergences import binary_kl, binary_kl_upper

BOTH = [KlInverse(), Catoni(), Catoni((2.0,))]


def _value(inequality, error=0.1, kl=50.0, *, n=1000, risk=0.05):
    return sum(inequality.terms(error, kl, n=n, risk=risk).values())


def _failure_rate(inequality, rate, n, part=None):
    """Probability that a fixed classifier of this error rate exceeds its bound, summed over its errors."""
    counts = np.arange(n + 1)
    terms = [inequality.terms(float(k / n), 0.0, n=n, risk=0.05) for k in counts]
    values = [sum(t.values()) - (0 if part is None else t[part] / 2) for t in terms]
    return binom.pmf(counts, n, rate)[np.array(values) < rate].sum()


@given(st.floats(0, 1), st.floats(0, 300), st.integers(1, 10**6), st.floats(1e-6, 0.999))
def test_terms_are_parts_of_a_rate_above_the_training_error(error, kl, n, risk):
    for inequality in BOTH:
        terms = inequality.terms(error, kl, n=n, risk=risk)
        assert next(iter(terms.values())) == error
        assert min(terms.values()) >= 0
        assert error <= sum(terms.values()) <= 1 + 1e-12


@pytest.mark.parametrize("inequality", BOTH)
def test_monotone_in_examples_risk_and_divergence(inequality):
    middle = _value(inequality)
    assert _value(inequality, n=4000) < middle < _value(inequality, n=300)
    assert _value(inequality, risk=0.2) < middle < _value(inequality, risk=0.001)
    assert _value(inequality, kl=10.0) < middle < _value(inequality, kl=100.0)
    assert _value(inequality, error=0.05) < middle < _value(inequality, error=0.2)


@pytest.mark.parametrize(("error", "kl", "n"), [(0.0, 5.0, 200), (0.1, 20.0, 500), (0.4, 2.0, 80)])
def test_over_all_tilts_catoni_without_their_price_is_the_inverse_of_kl(error, kl, n):
    single = min(_value(Catoni((float(tilt),)), error, kl, n=n) for tilt in np.geomspace(1e-2, 60, 4000))
    assert single == pytest.approx(binary_kl_upper(error, (kl + math.log(20)) / n), rel=1e-6)


def test_the_price_of_choosing_a_tilt_is_the_logarithm_of_their_number():
    free = min(_value(Catoni((tilt,)), risk=0.05 / len(TILTS)) for tilt in TILTS)
    assert _value(Catoni()) == pytest.approx(free, rel=1e-12)
    assert _value(Catoni()) > min(_value(Catoni((tilt,))) for tilt in TILTS)


def test_moment_behind_catoni_is_one_for_coins_and_smaller_for_other_losses():
    """E exp(n [F(L) - C Lhat]) summed over the binomial law, and for a loss that is .3 always."""
    n, tilt, rate = 30, 1.7, 0.3
    log_moment = -math.log(1 - (1 - math.exp(-tilt)) * rate)
    k = np.arange(n + 1)
    moment = binom.pmf(k, n, rate) @ np.exp(n * log_moment - tilt * k)
    assert moment == pytest.approx(1, rel=1e-10)
    assert math.exp(n * (log_moment - tilt * rate)) < 1


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.3])
def test_fails_with_at_most_the_stated_probability(rate):
    for inequality in BOTH:
        assert _failure_rate(inequality, rate, 200) <= 0.05


def test_half_the_confidence_is_caught_where_a_fixed_tilt_is_tight():
    """A large tilt suits a rate near 0: with no error in 100 the bound is .0296, which coins of rate .03 exceed
    with probability .0476, as stated; with half its confidence term coins of rate .016 exceed it with probability
    .2."""
    suited = Catoni((32.0,))
    assert 0.047 < _failure_rate(suited, 0.03, 100) <= 0.05
    assert _failure_rate(suited, 0.016, 100) == 0
    assert _failure_rate(suited, 0.016, 100, part="confidence") > 0.15


def test_half_the_confidence_is_not_caught_where_choosing_is_paid_for():
    """The price of the grid of tilts, and log 2 sqrt(n) in the inverse of kl, leave slack for a half."""
    for inequality in (Catoni(), KlInverse()):
        for rate in (0.016, 0.2):
            assert _failure_rate(inequality, rate, 100, part="confidence") < 0.073


def test_published_value_and_inverse():
    assert _value(KlInverse(), 0.289307, 1724.0, n=30000) == pytest.approx(0.4552, abs=5e-5)
    value = _value(KlInverse(), 0.1, 50.0)
    assert binary_kl(0.1, value) == pytest.approx((50 + math.log(40 * math.sqrt(1000))) / 1000, rel=1e-9)
    assert all(isinstance(one, Inequality) for one in BOTH)


def test_misuse_is_named():
    for inequality in BOTH:
        with pytest.raises(InputError, match=r"training_error must lie in \[0, 1\], got 1.5"):
            inequality.terms(1.5, 0.0, n=10, risk=0.05)
        with pytest.raises(InputError, match=r"kl must lie in \[0, inf\], got -1.0"):
            inequality.terms(0.5, -1.0, n=10, risk=0.05)
        with pytest.raises(InputError, match=r"n must lie in \[1, inf\], got 0"):
            inequality.terms(0.5, 1.0, n=0, risk=0.05)
        for risk in (0.0, 1.0):
            with pytest.raises(InputError, match=rf"risk must lie in \(0, 1\), got {risk}"):
                inequality.terms(0.5, 1.0, n=10, risk=risk)
    for tilts in ((), (0.0,), (1.0, math.inf)):
        with pytest.raises(InputError, match="tilts must be one or more finite numbers > 0"):
            Catoni(tilts)
