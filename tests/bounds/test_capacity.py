"""Spectrally normalised complexity: its formula, its invariances, the steps it rests on, and its bound."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

from carryover._core.errors import InputError
from carryover.bounds.capacity import (
    dudley_integral,
    log_covering_number,
    network_rademacher,
    spectral_bound,
    spectral_complexity,
)


def _network(seed=0, widths=(4, 6, 5, 2)):
    generator = np.random.default_rng(seed)
    return [generator.normal(size=(out, inp)) for inp, out in itertools.pairwise(widths)]


def test_formula_by_loops():
    weights, references, slopes = _network(0), _network(1), [1.0, 1.13, 2.0]
    found = spectral_complexity(weights, references=references, activations=slopes)
    product, total = 1.0, 0.0
    for matrix, reference, slope in zip(weights, references, slopes, strict=True):
        largest = math.sqrt(max(np.linalg.eigvalsh(matrix.T @ matrix)))
        rows = sum(math.sqrt(sum(x * x for x in row)) for row in (matrix - reference).tolist())
        product *= slope * largest
        total += (rows / largest) ** (2 / 3)
    assert found.value == pytest.approx(product * total**1.5)
    assert found.lipschitz == pytest.approx(product)
    assert found.width == 6


@settings(max_examples=40)
@given(st.floats(0.1, 10), st.integers(0, 1000))
def test_scale_moved_between_layers_and_rotations_of_inputs_do_not_matter(factor, seed):
    first, second, third = _network(seed)
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(4, 4)))[0]
    plain = spectral_complexity([first, second, third]).value
    moved = spectral_complexity([factor * first @ rotation, second / factor, third]).value
    assert moved == pytest.approx(plain)


def test_monotone_in_norms_inputs_and_examples():
    first, second = _network(0, (3, 4, 2))
    small, large = spectral_complexity([first, second]), spectral_complexity([2 * first, second])
    assert large.value == pytest.approx(2 * small.value)
    arguments = {"lipschitz": 1e-4, "loss_range": 1.0}
    sizes = [network_rademacher(small, input_norm=math.sqrt(n), n=n, **arguments) for n in (100, 400, 10_000)]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] < 0.5
    wide = network_rademacher(small, input_norm=20.0, n=100, **arguments)
    assert sizes[0] < wide < network_rademacher(large, input_norm=20.0, n=100, **arguments)
    assert log_covering_number(small, input_norm=1.0, radius=0.1) == pytest.approx(
        100 * log_covering_number(small, input_norm=1.0, radius=1.0)
    )


def test_a_layer_at_its_reference_or_of_zeros():
    first, second = _network(0, (3, 4, 2))
    frozen = spectral_complexity([first, second], references=[first, np.zeros_like(second)])
    assert frozen.distances[0] == 0
    expected = np.linalg.norm(first, 2) * np.linalg.norm(second, axis=1).sum()
    assert frozen.value == pytest.approx(expected)
    dead = spectral_complexity([first, np.zeros((2, 4))])
    assert dead.value == 0.0
    assert network_rademacher(dead, input_norm=1.0, n=10, lipschitz=1.0, loss_range=1.0) == 0.0


def test_outputs_move_as_the_lipschitz_constant_permits():
    weights, generator = _network(2), np.random.default_rng(3)
    found = spectral_complexity(weights)

    def output(x):
        for matrix in weights:
            x = np.maximum(matrix @ x, 0)
        return x

    for _ in range(200):
        x, y = generator.normal(size=(2, 4))
        assert np.linalg.norm(output(x) - output(y)) <= found.lipschitz * np.linalg.norm(x - y)


def test_maurey_sampling_is_as_close_as_the_cover_says():
    """A^T as a mixture of +-unit columns of the rescaled X: k picks miss X A by (a b)^2 / k at most."""
    generator = np.random.default_rng(0)
    inputs, matrix = generator.normal(size=(30, 5)), generator.normal(size=(5, 4))
    norms = np.linalg.norm(inputs, axis=0)
    pieces = norms[:, None] * matrix
    budget = np.linalg.norm(matrix, axis=0).sum() * np.linalg.norm(inputs)
    total = np.abs(pieces).sum()
    assert total <= budget + 1e-9
    weights = np.abs(pieces).ravel() / total
    atoms = np.zeros((20, 30, 4))
    for at, (row, column) in enumerate(np.ndindex(5, 4)):
        atoms[at, :, column] = total * np.sign(pieces[row, column]) * inputs[:, row] / norms[row]
    picks = 50
    drawn = generator.multinomial(picks, weights, size=2000) / picks
    missed = np.einsum("da,anc->dnc", drawn, atoms) - inputs @ matrix
    assert (missed**2).sum(axis=(1, 2)).mean() <= budget**2 / picks


@pytest.mark.parametrize("scale", [1e-3, 0.1, 1.0])
def test_dudley_integral_is_the_least_over_where_it_starts(scale):
    n, loss_range = 10_000, 2.0

    def value(start):
        return 4 * start + 12 / math.sqrt(n) * quad(lambda e: scale / e, start, loss_range)[0]

    best = minimize_scalar(
        lambda log: value(math.exp(log)), bounds=(-20, math.log(loss_range)), method="bounded"
    )
    assert dudley_integral(scale, n=n, loss_range=loss_range) == pytest.approx(best.fun, rel=1e-6)
    assert dudley_integral(1e9, n=n, loss_range=loss_range) == 1.0
    assert dudley_integral(0.0, n=n, loss_range=loss_range) == 0.0


def test_complexity_of_sampled_networks_lies_below():
    """1,000 networks within the norms of one: their largest correlation with signs is at most the class's."""
    generator = np.random.default_rng(4)
    inputs, template = generator.normal(size=(40, 3)), _network(5, (3, 4, 1))
    norms = spectral_complexity(template)
    losses = np.empty((1000, 40))
    for at in range(len(losses)):
        layers = [generator.normal(size=matrix.shape) for matrix in template]
        own = spectral_complexity(layers)
        fits = np.minimum(norms.spectral / own.spectral, norms.distances / own.distances)
        hidden = np.maximum(inputs @ (fits[0] * layers[0]).T, 0)
        losses[at] = np.clip(0.5 + 0.01 * hidden @ (fits[1] * layers[1]).T[:, 0], 0, 1)
    signs = generator.choice([-1.0, 1.0], size=(200, 40))
    sampled = (signs @ losses.T).max(axis=1).mean() / 40
    arguments = {"input_norm": float(np.linalg.norm(inputs)), "n": 40, "lipschitz": 0.01, "loss_range": 1.0}
    assert 0 < sampled < network_rademacher(norms, **arguments)


def _spectral_bound(n=1000, confidence=0.95, losses=None, factor=1e-6, **given):
    found = spectral_complexity([factor * matrix for matrix in _network()])
    losses = np.full(n, 0.1) if losses is None else losses
    return spectral_bound(
        found, losses, input_norm=math.sqrt(n), lipschitz=1.0, confidence=confidence, **given
    )


def test_bound_is_the_sum_of_its_terms_and_monotone():
    bound = _spectral_bound()
    assert bound.value == pytest.approx(sum(bound.terms.values())) and bound.value >= 0.1
    assert not bound.vacuous and _spectral_bound(factor=10.0).vacuous
    assert _spectral_bound(n=4000).value < bound.value < _spectral_bound(confidence=0.999).value
    assert bound.terms["complexity"] < _spectral_bound(factor=1e-3).terms["complexity"]
    assert bound.stats["complexity"] <= bound.stats["rounded_complexity"] < 2**1.6 * bound.stats["complexity"]
    assert [one.state for one in bound.assumptions] == ["not_checkable", "not_checkable"]
    assert _spectral_bound(references_fixed=True).assumptions[1].state == "checked"
    assert _spectral_bound(references_fixed=False).assumptions[1].state == "violated"


def test_rounding_keeps_norms_of_zero():
    first, second = _network(0, (3, 4, 2))
    frozen = spectral_complexity([first, second], references=[first, np.zeros_like(second)])
    bound = spectral_bound(frozen, np.zeros(10), input_norm=1.0, lipschitz=1e-3)
    assert frozen.value <= bound.stats["rounded_complexity"] < 2 * frozen.value


def test_shares_of_the_risk_add_up_to_one():
    """Over the norm 0 and all integers j: 3/pi^2 (1 + sum (1+|j|)^-2) = 1."""
    integers = np.arange(1, 10**6)
    assert 3 / math.pi**2 * (1 + 1 + 2 * ((1.0 + integers) ** -2).sum()) == pytest.approx(1.0, abs=1e-5)
    unit = spectral_complexity([np.eye(1)])
    bound = spectral_bound(unit, np.zeros(100), input_norm=0.0, lipschitz=1.0)
    log_share = 2 * math.log(math.pi**2 / 3)
    expected = 3 * math.sqrt((math.log(20) + log_share) / 200)
    assert bound.terms["confidence"] == pytest.approx(expected)


def test_misuse_is_named():
    with pytest.raises(InputError, match="weights must hold at least one layer, got none"):
        spectral_complexity([])
    with pytest.raises(
        InputError, match=r"weights\[1\] must take the 3 outputs of the layer before, got 2 inputs"
    ):
        spectral_complexity([np.ones((3, 2)), np.ones((1, 2))])
    with pytest.raises(InputError, match=r"references must have the shapes of weights, got \[\(1, 2\)\]"):
        spectral_complexity([np.ones((3, 2))], references=[np.ones((1, 2))])
    with pytest.raises(InputError, match="activations must be 1 constants > 0, one for each layer"):
        spectral_complexity([np.ones((3, 2))], activations=[0.0])
    with pytest.raises(InputError, match=r"losses must be a vector in \[0, 1\], not empty, got 1.5"):
        _spectral_bound(losses=np.array([0.1, 1.5]))
    with pytest.raises(InputError, match=r"not empty, got -0\.5"):
        _spectral_bound(losses=np.array([0.1, -0.5]))
    with pytest.raises(InputError, match=r"not empty, got shape \(0,\)"):
        _spectral_bound(losses=np.array([]))
    with pytest.raises(InputError, match=r"confidence must lie in \(0, 1\), got 2"):
        _spectral_bound(confidence=2.0)
    found = spectral_complexity([np.ones((1, 1))])
    with pytest.raises(InputError, match=r"radius must lie in \(0, inf\], got 0"):
        log_covering_number(found, input_norm=1.0, radius=0.0)
    with pytest.raises(InputError, match=r"input_norm must lie in \[0, inf\), got -1"):
        log_covering_number(found, input_norm=-1.0, radius=1.0)
    for name, value in (("lipschitz", 0.0), ("loss_range", 0.0), ("n", 0)):
        arguments = {"input_norm": 1.0, "n": 5, "lipschitz": 1.0, "loss_range": 1.0} | {name: value}
        with pytest.raises(InputError, match=f"{name} must lie in"):
            network_rademacher(found, **arguments)
