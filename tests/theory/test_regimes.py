"""Order, pretraining dependence and the four regimes: limits, bounds, slopes and the paper's examples."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from theory_examples import NETWORKS

from carryover.theory import (
    FineTuning,
    HyperbolicEntropy,
    Network,
    Task,
    order,
    pretraining_dependence,
    regime,
)
from carryover.theory.regimes import REGIMES

logs = st.floats(-9, 4).map(lambda x: 10.0**x)
networks = st.builds(
    Network,
    scale=logs,
    relative_scale=st.floats(-9, 0.3).map(lambda x: 10.0**x - 1.0),
    readout=st.one_of(st.just(0.0), st.floats(-6, 2).map(lambda x: 10.0**x)),
).filter(lambda network: network.relative_scale > -1.0)


@given(logs, logs, networks)
def test_order_and_dependence_stay_in_their_range(coefficient, pretraining, network):
    """l in [1, 2], PD in [-1, 0] and l + PD in [1, 2] (Proposition 4.2)."""
    steep = float(order(coefficient, network.sqrt_k(pretraining)))
    dependence = float(pretraining_dependence(coefficient, pretraining, network))
    slack = 1e-12
    assert 1 - slack <= steep <= 2 + slack
    assert -1 - slack <= dependence <= slack
    assert 1 - slack <= steep + dependence <= 2 + slack


@given(st.floats(-3, 2).map(lambda x: 10.0**x), st.floats(-4, 3).map(lambda x: 10.0**x))
def test_order_is_the_logarithmic_slope_of_the_potential(b, sqrt_k):
    potential = HyperbolicEntropy(sqrt_k)
    assert order(b, sqrt_k) == pytest.approx(b * potential.gradient(b) / potential.value(b), rel=1e-10)


@given(st.floats(-2, 1).map(lambda x: 10.0**x), st.floats(-2, 1).map(lambda x: 10.0**x), networks)
def test_dependence_is_the_logarithmic_slope_in_pretraining(b, pretraining, network):
    step = 1e-4
    up, down = (
        float(np.log(HyperbolicEntropy(network.sqrt_k(pretraining * np.exp(sign * step))).value(b)))
        for sign in (1, -1)
    )
    expected = (up - down) / (2 * step)
    assert pretraining_dependence(b, pretraining, network) == pytest.approx(expected, rel=1e-5, abs=1e-8)


def test_order_tends_to_ridge_and_to_l1():
    """2 - l ~ z^2 / 24 for small z = 4 b / sqrt k, l - 1 ~ 1 / log(z / e) for large z."""
    assert order(0.0, 1.0) == order(1e-300, 1e4) == 2.0
    for z in (1e-1, 1e-2):
        assert 2.0 - order(z, 4.0) == pytest.approx(z**2 / 24, rel=z)
    for z in (1e6, 1e12):
        assert order(z, 4.0) - 1.0 == pytest.approx(1 / np.log(z / np.e), rel=1e-5)


@pytest.mark.parametrize("half", [1e-12, 1e-8, 1e-4, 1e-2, 1.0, 1e3, 1e9])
def test_order_keeps_its_digits(half):
    with mp.workdps(50):
        x = mp.mpf(half)
        product = 2 * x * mp.asinh(x)
        exact = float(product / (2 - 2 * mp.sqrt(1 + x**2) + product))
    assert order(half / 2, 1.0) == pytest.approx(exact, rel=1e-13)


def test_dependence_vanishes_where_nothing_depends_on_pretraining():
    """Exactly where the first layer starts at 0 under "symmetrized", in the limit for a large readout or scale."""
    assert pretraining_dependence(1.0, 1.0, Network(1e-3, -1.0, 1e-3)) == 0.0
    assert abs(pretraining_dependence(1.0, 1.0, Network(1e-3, 0.0, 100.0))) < 1e-3
    assert abs(pretraining_dependence(1.0, 1.0, Network(1e3))) < 1e-5


def test_four_networks_fall_into_the_four_regimes():
    for name, network in NETWORKS.items():
        assert FineTuning(Task(), network).regime.split(":")[0] == name
    first = FineTuning(Task(0.1, 0.1), NETWORKS["I"])
    assert first.pretraining_dependence == pytest.approx(-0.07, abs=0.005)


def test_regimes_are_named_one_each_from_both_cuts():
    assert [regime(1.4, 0.0), regime(1.6, -0.5), regime(1.6, 0.0), regime(1.4, -0.5)] == list(
        REGIMES.values()
    )
    assert regime(1.5, 0.099).startswith("III")
    assert regime(1.499, -0.1).startswith("IV")
    several = FineTuning(Task(), Network(1e-3, np.array([-0.99, 0.0]))).regime
    assert [one.split(":")[0] for one in several] == ["IV", "II"]


def errors(network: str, rho_finetuning: float, overlap: float, alpha: float) -> float:
    model = FineTuning(Task(0.1, rho_finetuning, overlap), NETWORKS[network])
    return float(model.predict(alpha).generalization_error)


def test_regime_one_depends_a_little_on_pretraining():
    """.116 and 2.7e-4 at overlap 0 and 1 for rho_FT = .1, alpha = .3 (design notes, section 5)."""
    assert errors("I", 0.1, 0.0, 0.3) == pytest.approx(0.116, abs=5e-4)
    assert errors("I", 0.1, 1.0, 0.3) == pytest.approx(2.7e-4, abs=5e-6)


def test_regime_one_can_beat_regime_four():
    """.0155 against .0235 for a sparse subset task, rho_FT = .01, alpha = .05 (design notes, section 5)."""
    assert errors("I", 0.01, 1.0, 0.05) == pytest.approx(0.0155, abs=5e-5)
    assert errors("IV", 0.01, 1.0, 0.05) == pytest.approx(0.0235, abs=5e-5)
