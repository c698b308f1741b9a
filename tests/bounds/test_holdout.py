"""The hold-out bound: exact limits, monotone, assumptions stated."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from carryover._core.errors import InputError
from carryover.bounds.base import sample_assumptions
from carryover.bounds.holdout import holdout_bound


def _results(errors, n):
    return np.arange(n) >= errors


@given(st.integers(1, 300), st.data())
def test_is_the_exact_binomial_limit_and_the_sum_of_its_terms(n, data):
    errors = data.draw(st.integers(0, n))
    bound = holdout_bound(_results(errors, n))
    assert bound.value == pytest.approx(
        binomtest(errors, n, alternative="less").proportion_ci().high, abs=1e-9
    )
    assert sum(bound.terms.values()) == pytest.approx(bound.value)
    assert bound.terms["test_error"] == errors / n <= bound.value
    assert bound.vacuous == (errors == n)


@pytest.mark.parametrize("rate", [0.05, 0.2, 0.5])
def test_fails_with_at_most_the_stated_probability_and_half_the_width_does_not(rate):
    """Summed over the binomial law.  Halving the confidence term makes the failure rate exceed 5 % plainly."""
    n = 200
    bounds = [holdout_bound(_results(k, n)) for k in range(n + 1)]
    law = binom.pmf(np.arange(n + 1), n, rate)
    failed = np.array([bound.value < rate for bound in bounds])
    halved = np.array([bound.terms["test_error"] + bound.terms["confidence"] / 2 < rate for bound in bounds])
    assert law[failed].sum() <= 0.05
    assert law[halved].sum() > 0.1


def test_tightens_with_examples_and_loosens_with_confidence():
    values = [holdout_bound(_results(n // 10, n)).value for n in (20, 100, 1000, 10_000)]
    assert values == sorted(values, reverse=True)
    values = [holdout_bound(_results(5, 50), confidence=level).value for level in (0.5, 0.9, 0.95, 0.999)]
    assert values == sorted(values)


def test_assumptions_say_what_is_known():
    def states(**given):
        return [assumption.state for assumption in holdout_bound(_results(1, 4), **given).assumptions]

    assert states() == ["not_checkable"] * 3
    assert states(representation_independent=True, test_untouched=True)[1:] == ["checked", "checked"]
    assert states(representation_independent=False, test_untouched=False)[1:] == ["violated", "violated"]
    assert states(groups=np.array(["a", "a", "b", "c"]))[0] == "violated"
    assert states(groups=np.array(["a", "b", "c", "d"]))[0] == "not_checkable"


def test_misuse_is_named():
    with pytest.raises(InputError, match=r"correct must be a non-empty vector of booleans, got shape \(0,\)"):
        holdout_bound(np.array([], dtype=bool))
    with pytest.raises(InputError, match=r"confidence must lie in \(0, 1\), got 1.0"):
        holdout_bound(np.array([True]), confidence=1.0)
    with pytest.raises(InputError, match="groups must have one entry for each of the 3 rows, got 2"):
        sample_assumptions(3, groups=np.array([1, 2]), representation_independent=None, sample="test")
