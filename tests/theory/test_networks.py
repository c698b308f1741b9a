"""Weights, what the flow conserves, and k: formulas against weights, in 50 digits, and by finite differences."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from carryover._core.errors import InputError
from carryover.theory import DiagonalWeights, Network

weights = st.lists(st.floats(-3, 3), min_size=4, max_size=4).map(lambda w: DiagonalWeights(*w))
scales = st.floats(-6, 2).map(lambda x: 10.0**x)
networks = st.builds(
    Network,
    scale=scales,
    relative_scale=st.floats(-0.999, 1.0),
    readout=st.one_of(st.just(0.0), scales),
    protocol=st.sampled_from(["symmetrized", "kept"]),
)
coefficients = st.floats(-4, 4)


@given(weights, st.floats(-2, 2))
def test_a_flow_moves_weights_and_conserves_three_numbers(start, angle):
    end = start.moved(angle)
    for before, after in zip(start.conserved, end.conserved, strict=True):
        assert after == pytest.approx(before, abs=1e-9)
    back = end.moved(-angle)
    for name in ("w_plus", "v_plus", "w_minus", "v_minus"):
        assert getattr(back, name) == pytest.approx(getattr(start, name), abs=1e-9)


@given(weights, st.floats(-2, 2))
def test_k_alone_joins_start_and_end(start, angle):
    """beta = sqrt(k)/2 sinh(2 angle + asinh(2 beta_0 / sqrt(k))) for weights of no symmetry at all."""
    cross, plus, minus = start.conserved
    assume(np.hypot(plus - minus, 2 * cross) > 1e-3)
    k = start.sqrt_k
    expected = k / 2 * np.sinh(2 * angle + np.arcsinh(2 * start.coefficients / k))
    assert start.moved(angle).coefficients == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(networks, coefficients)
def test_pretraining_reaches_its_goal_from_the_stated_scales(network, goal):
    start = network.initial_weights()
    c, lam = network.scale, network.relative_scale * network.scale
    assert start.w_plus**2 + start.v_plus**2 == pytest.approx(c, rel=1e-12, abs=0)
    assert start.w_plus**2 - start.v_plus**2 == pytest.approx(lam, rel=1e-12, abs=1e-15 * c)
    assert start.coefficients == 0.0
    end = network.pretrained_weights(goal)
    assert end.coefficients == pytest.approx(goal, rel=1e-9, abs=1e-12)
    assert end.sqrt_k == pytest.approx(2 * c, rel=1e-9 * max(1.0, (goal / c) ** 2), abs=0)


@given(networks, coefficients)
def test_formulas_of_k_and_start_are_those_of_the_weights(network, goal):
    start = network.finetuning_start(goal)
    assert start.v_plus == start.v_minus == network.readout / np.sqrt(2)
    # Only the weights themselves lose digits: they cancel where one of w+ and w- is much smaller.
    slack = 1e-12 * (1 + abs(goal) / network.scale) ** 2
    assert network.sqrt_k(goal) == pytest.approx(start.sqrt_k, rel=1e-10 + slack, abs=0)
    size = abs(goal) + network.readout * np.sqrt(network.scale)
    assert network.start(goal) == pytest.approx(start.coefficients, rel=1e-9, abs=1e-12 * size)
    if network.protocol == "symmetrized":
        assert network.start(goal) == 0.0


@pytest.mark.parametrize("protocol", ["symmetrized", "kept"])
@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1.0, 1e4])
@pytest.mark.parametrize("relative", [-1 + 1e-9, -0.99, 0.0, 1.0])
@pytest.mark.parametrize("readout", [0.0, 1e-6, 1e2])
def test_k_keeps_its_digits(protocol, scale, relative, readout):
    """Against 50-digit weights, k from 1e-36 on; in doubles the weights themselves would cancel."""
    network = Network(scale, relative, readout, protocol)
    with mp.workdps(50):
        for goal in (0.0, 1e-12, 1e-3, 1.0, -30.0):
            c, ratio, gamma = mp.mpf(scale), mp.mpf(relative), mp.mpf(readout)
            first, second = mp.sqrt(c * (1 + ratio) / 2), mp.sqrt(c * (1 - ratio) / 2)
            angle = mp.asinh(mp.mpf(goal) / c) / 2
            cosh, sinh = first * mp.cosh(angle), second * mp.sinh(angle)
            plus, minus = (2 * cosh, 2 * cosh) if protocol == "symmetrized" else (cosh + sinh, cosh - sinh)
            exact = mp.hypot(plus**2 - minus**2, 2 * (plus * minus + gamma**2 / 2))
            assert network.sqrt_k(goal) == pytest.approx(float(exact), rel=1e-12, abs=0)
            begin = gamma / mp.sqrt(2) * (plus - minus)
            assert network.start(goal) == pytest.approx(float(begin), rel=1e-12, abs=1e-300)


@given(networks, st.floats(-2, 1).map(lambda x: 10.0**x))
def test_dependence_of_sqrt_k_is_its_logarithmic_slope(network, goal):
    step = 1e-5
    up, down = (np.log(network.sqrt_k(goal * np.exp(sign * step))) for sign in (1, -1))
    assert network.sqrt_k_dependence(goal) == pytest.approx((up - down) / (2 * step), rel=1e-6, abs=1e-8)


@given(networks, coefficients, st.floats(-3, 3).map(lambda x: 10.0**x))
def test_rescaling_weights_rescales_k(network, goal, factor):
    """beta -> t beta, c -> t c, gamma -> sqrt(t) gamma: sqrt(k) -> t sqrt(k) and beta_0 -> t beta_0."""
    other = Network(
        network.scale * factor, network.relative_scale, network.readout * np.sqrt(factor), network.protocol
    )
    assert other.sqrt_k(goal * factor) == pytest.approx(factor * network.sqrt_k(goal), rel=1e-12, abs=0)
    assert other.start(goal * factor) == pytest.approx(factor * network.start(goal), rel=1e-11, abs=1e-300)


def test_the_protocols_differ_by_a_factor_two_only_where_stated():
    """sqrt(k) of "kept" is half the symmetrized one for lambda = gamma = 0 and c << |beta_PT| only."""

    def ratio(goal, relative, readout):
        kept, symmetrized = (
            Network(1e-8, relative, readout, p).sqrt_k(goal) for p in ("kept", "symmetrized")
        )
        return float(kept / symmetrized)

    assert ratio(1.0, 0.0, 0.0) == pytest.approx(1 / 2, rel=1e-7, abs=0)
    assert ratio(0.0, 0.0, 0.0) == pytest.approx(1 / 4, rel=1e-12, abs=0)
    assert ratio(1.0, -0.5, 0.0) == pytest.approx(1.0, rel=1e-7, abs=0)
    assert ratio(1.0, 0.0, 1.0) == pytest.approx(np.sqrt(2) / 3, rel=1e-7, abs=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 0.0}, r"scale must lie in \(0, inf\), got 0"),
        ({"scale": -1.0}, r"scale must lie in \(0, inf\), got -1"),
        ({"relative_scale": 1.5}, r"relative_scale must lie in \[-1, 1\], got 1.5"),
        ({"relative_scale": [-1.5, 0.0]}, r"relative_scale must lie in \[-1, 1\], got -1.5"),
        ({"readout": -1e-3}, r"readout \(gamma\) must lie in \[0, inf\), got -0.001"),
        ({"readout": np.nan}, r"readout \(gamma\) must be finite, got nan"),
        (
            {"protocol": "frozen"},
            r"protocol must be one of \('symmetrized', 'kept'\), got 'frozen'",
        ),
        (
            {"relative_scale": [-1.0, 0.0], "readout": [0.0, 0.0]},
            r"relative_scale = -1 with readout \(gamma\) = 0 is degenerate.*k = 0; take relative_scale > -1",
        ),
    ],
)
def test_networks_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        Network(**arguments)


def test_the_corner_is_refused_only_where_both_meet():
    assert Network(1e-3, np.array([-1.0, 0.0]), np.array([1.0, 0.0])).sqrt_k(1.0)[0] == 1.0


def test_weights_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="w_minus must be finite, got inf"):
        DiagonalWeights(1.0, 1.0, np.inf, 1.0)
    with pytest.raises(InputError, match=r"weights have k = 0 in coordinate 1: .*k must be > 0"):
        _ = DiagonalWeights(np.array([1.0, 1.0]), np.array([0.0, 1.0]), np.array([1.0, 0.0]), 0.0).sqrt_k
