"""Binary relative entropy and binomial limits against mpmath and SciPy's binomial law."""

import math

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from carryover._core.errors import InputError
from carryover.numerics.divergences import (
    binary_kl,
    binary_kl_lower,
    binary_kl_upper,
    clopper_pearson_lower,
    clopper_pearson_upper,
)

inside = st.floats(1e-6, 1 - 1e-6)


def _exact_kl(p, q):
    p, q = mpmath.mpf(p), mpmath.mpf(q)
    first = p * mpmath.log(p / q) if p else mpmath.mpf(0)
    return first + ((1 - p) * mpmath.log((1 - p) / (1 - q)) if p != 1 else 0)


def _exact_upper(p, budget):
    """Bisection in 60 digits, which knows nothing of the series or of the bracket."""
    low, high = mpmath.mpf(p), mpmath.mpf(1)
    for _ in range(120):
        middle = (low + high) / 2
        low, high = (middle, high) if _exact_kl(p, middle) <= budget else (low, middle)
    return float(low)


@given(inside, inside)
def test_kl_agrees_with_mpmath(p, q):
    with mpmath.workdps(60):
        exact = float(_exact_kl(p, q))
    assert binary_kl(p, q) == pytest.approx(exact, rel=1e-10, abs=1e-300)


@given(inside, st.floats(1e-12, 1e-3))
def test_kl_keeps_its_digits_next_to_p(p, step):
    q = min(p + step * (1 - p), 1 - 1e-9)
    with mpmath.workdps(60):
        exact = float(_exact_kl(p, q))
    assert binary_kl(p, q) == pytest.approx(exact, rel=1e-9, abs=1e-300)


def test_kl_at_the_ends():
    assert binary_kl(0.0, 0.0) == binary_kl(1.0, 1.0) == 0
    assert binary_kl(0.5, 0.0) == binary_kl(0.5, 1.0) == math.inf
    assert binary_kl(0.0, 0.25) == pytest.approx(-math.log(0.75), rel=1e-14)


@given(st.one_of(inside, st.sampled_from([0.0, 1.0])), st.floats(1e-14, 20))
def test_upper_inverse_to_twelve_digits(p, budget):
    with mpmath.workdps(60):
        assert abs(binary_kl_upper(p, budget) - _exact_upper(p, budget)) < 1e-12


@given(st.one_of(inside, st.sampled_from([0.0, 1.0])), st.floats(1e-14, 20))
def test_lower_inverse_mirrors_the_upper_one(p, budget):
    with mpmath.workdps(60):
        assert abs(binary_kl_lower(p, budget) - (1 - _exact_upper(1 - p, budget))) < 1e-12


@pytest.mark.parametrize("p", [5e-324, 1e-310, 1e-299])
def test_rates_next_to_the_smallest_number_are_as_good_as_zero(p):
    assert binary_kl(p, 0.25) == pytest.approx(binary_kl(0.0, 0.25), rel=1e-14)
    assert binary_kl_upper(p, 0.7) == pytest.approx(binary_kl_upper(0.0, 0.7), rel=1e-14)


def test_reference_value_of_the_upper_inverse():
    budget = (1724 + math.log(2 * math.sqrt(30000) / 0.05)) / 30000
    assert binary_kl_upper(0.289307, budget) == pytest.approx(0.4552, abs=5e-5)


def test_inverse_of_nothing_and_of_everything():
    assert binary_kl_upper(0.3, 0.0) == 0.3
    assert binary_kl_lower(0.3, 0.0) == pytest.approx(0.3, abs=1e-15)
    assert binary_kl_upper(0.3, math.inf) == 1
    assert binary_kl_lower(0.3, math.inf) == 0


@given(st.integers(1, 400), st.data())
def test_clopper_pearson_agrees_with_scipy(n, data):
    count = data.draw(st.integers(0, n))
    upper = binomtest(count, n, alternative="less").proportion_ci(0.95, "exact").high
    lower = binomtest(count, n, alternative="greater").proportion_ci(0.95, "exact").low
    assert clopper_pearson_upper(count, n) == pytest.approx(upper, abs=1e-9)
    assert clopper_pearson_lower(count, n) == pytest.approx(lower, abs=1e-9)


@pytest.mark.parametrize("q", [0.01, 0.2, 0.5])
def test_clopper_pearson_covers_exactly(q):
    """The binomial law summed over every count: no simulation needed."""
    n = 60
    covered = sum(binom.pmf(k, n, q) for k in range(n + 1) if clopper_pearson_upper(k, n) >= q)
    assert covered >= 0.95


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: binary_kl(1.5, 0.5), r"p must lie in \[0, 1\], got 1.5"),
        (lambda: binary_kl(0.5, -1.0), r"q must lie in \[0, 1\], got -1.0"),
        (lambda: binary_kl_upper(0.5, -1.0), r"budget must lie in \[0, inf\], got -1.0"),
        (lambda: binary_kl_lower(2.0, 1.0), r"p must lie in"),
        (lambda: clopper_pearson_upper(3, 2), r"count must lie in \[0, 2\], got 3"),
        (lambda: clopper_pearson_lower(0, 0), r"n must be at least 1, got 0"),
        (lambda: clopper_pearson_lower(0, 5, confidence=1.0), r"confidence must lie in \(0, 1\), got 1.0"),
    ],
)
def test_misuse_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()
