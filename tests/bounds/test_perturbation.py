"""Each Lipschitz step of a transformer block against brute force, and against halves of its constants."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from scipy.stats import norm

from carryover.bounds.perturbation import (
    IDENTITY,
    Change,
    HeadClass,
    LinearClass,
    MlpClass,
    NormClass,
    WeightClass,
)
from carryover.bounds.transformer_weights import GELU_SLOPE

EPS = 1e-3


def _normalised(x):
    centred = x - x.mean(axis=-1, keepdims=True)
    std = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + EPS)
    return centred / std, float(std[..., 0])


def _size(tokens):
    return float(np.linalg.norm(tokens, axis=-1).max())


def _weight(*arrays):
    """A class that holds all the arrays; matrices in the spectral norm, vectors in the 2-norm."""
    return WeightClass(max(float(np.linalg.norm(array, 2)) for array in arrays), 0.0, arrays[0].size)


def _linear(name, weights, biases):
    return LinearClass(name, _weight(*weights), _weight(*biases))


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.floats(-4, 2))
def test_layer_norm_moves_by_twice_the_change_over_the_two_stds(seed, log_size):
    generator = np.random.default_rng(seed)
    x = 10 ** generator.uniform(-3, 1) * generator.normal(size=6)
    y = x + 10**log_size * generator.normal(size=6)
    (of_x, std_x), (of_y, std_y) = _normalised(x), _normalised(y)
    step = np.linalg.norm(x - y)
    assert np.linalg.norm(of_x - of_y) <= 2 * step / (std_x + std_y) * (1 + 1e-9)
    assert np.linalg.norm(of_x) <= math.sqrt(6)
    layer = NormClass("n", WeightClass(1.0, 0.0, 6), WeightClass(0.0, 0.0, 6), 6, min(std_x, std_y))
    assert np.linalg.norm(of_x - of_y) <= layer.change().input * step * (1 + 1e-9)


def test_layer_norm_constant_is_attained_by_a_small_turn():
    x = np.array([1.0, -1.0, 0.0, 0.0])
    y = x + 1e-6 * np.array([0.0, 0.0, 1.0, -1.0])
    (of_x, std), (of_y, _) = _normalised(x), _normalised(y)
    assert np.linalg.norm(of_x - of_y) / np.linalg.norm(x - y) == pytest.approx(1 / std, rel=1e-6)


@settings(max_examples=40)
@given(st.integers(0, 10**6))
def test_layer_norm_with_its_own_weights_moved(seed):
    generator = np.random.default_rng(seed)
    x, y, scale, scale2, shift, shift2 = generator.normal(size=(6, 5))
    (of_x, std_x), (of_y, std_y) = _normalised(x), _normalised(y)
    limit = WeightClass(float(np.abs([scale, scale2]).max()), 0.0, 5)
    layer = NormClass("n", limit, _weight(shift, shift2), 5, min(std_x, std_y))
    change = layer.change()
    found = np.linalg.norm(scale * of_x + shift - scale2 * of_y - shift2)
    permitted = (
        change.input * np.linalg.norm(x - y)
        + change.weights["n.weight"] * np.abs(scale - scale2).max()
        + change.weights["n.bias"] * np.linalg.norm(shift - shift2)
    )
    assert found <= permitted
    assert np.linalg.norm(scale * of_x + shift) <= layer.radius


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.floats(-4, 2))
def test_softmax_moves_by_the_largest_change_of_a_logit(seed, log_size):
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=7)
    moved = logits + 10**log_size * generator.normal(size=7)
    found = np.abs(softmax(logits) - softmax(moved)).sum()
    assert found <= np.abs(logits - moved).max() * (1 + 1e-9)


def test_softmax_constant_is_attained_at_equal_logits():
    found = np.abs(softmax([0.0, 0.0]) - softmax([1e-5, -1e-5])).sum()
    assert found / 1e-5 == pytest.approx(1.0, abs=1e-6)


def test_slope_of_gelu():
    steepest = minimize_scalar(lambda x: -(norm.cdf(x) + x * norm.pdf(x)), bounds=(0, 3), method="bounded")
    assert steepest.x == pytest.approx(math.sqrt(2), abs=1e-4)
    assert 1.128 < -steepest.fun <= GELU_SLOPE


def _moved(generator, *shapes):
    """Pairs of arrays, the second near the first or far from it."""
    size = 10 ** generator.uniform(-4, 0.5)
    firsts = [generator.normal(size=shape) for shape in shapes]
    return [(first, first + size * generator.normal(size=first.shape)) for first in firsts]


def _permitted(change, step, moves):
    return change.input * step + sum(
        change.weights[name] * np.linalg.norm(first - second, 2) for name, (first, second) in moves.items()
    )


@settings(max_examples=40)
@given(st.integers(0, 10**6))
def test_mlp_with_everything_moved(seed):
    generator = np.random.default_rng(seed)
    x, first, bias, second, bias2 = _moved(generator, (5, 4), (6, 4), 6, (4, 6), 4)

    def output(at):
        inner = x[at] @ first[at].T + bias[at]
        return inner * norm.cdf(inner) @ second[at].T + bias2[at]

    layer = MlpClass(_linear("a", first, bias), _linear("b", second, bias2), GELU_SLOPE)
    change = layer.change(max(_size(x[0]), _size(x[1])))
    moves = {"a.weight": first, "a.bias": bias, "b.weight": second, "b.bias": bias2}
    assert _size(output(0) - output(1)) <= _permitted(change, _size(x[0] - x[1]), moves)


def _head(seed):
    """A head with its inputs and every weight moved: what changed, its class, its moves."""
    generator = np.random.default_rng(seed)
    x, query, query_bias, key, value, value_bias = _moved(generator, (5, 4), (3, 4), 3, (3, 4), (3, 4), 3)
    key_bias = generator.normal(size=(2, 3))

    def output(at):
        queries, keys = x[at] @ query[at].T + query_bias[at], x[at] @ key[at].T + key_bias[at]
        return softmax(queries @ keys.T / math.sqrt(3), axis=1) @ (x[at] @ value[at].T + value_bias[at])

    head = HeadClass(
        _linear("q", query, query_bias), LinearClass("k", _weight(*key)), _linear("v", value, value_bias), 3
    )
    moves = {
        "q.weight": query,
        "q.bias": query_bias,
        "k.weight": key,
        "v.weight": value,
        "v.bias": value_bias,
    }
    radius = max(_size(x[0]), _size(x[1]))
    return _size(output(0) - output(1)), head.change(radius), _size(x[0] - x[1]), moves


@settings(max_examples=40)
@given(st.integers(0, 10**6))
def test_attention_head_with_everything_moved(seed):
    """Also another bias of the keys, which costs nothing."""
    found, change, step, moves = _head(seed)
    assert found <= _permitted(change, step, moves)


def test_attention_constant_is_attained_when_values_alone_count():
    """One token: the softmax is 1 and the head is its values."""
    change = HeadClass(
        LinearClass("q", WeightClass(0.0, 0.0, 1)),
        LinearClass("k", WeightClass(0.0, 0.0, 1)),
        LinearClass("v", WeightClass(2.0, 0.0, 1)),
        1,
    ).change(5.0)
    assert change.input == 2.0 and change.weights["v.weight"] == 5.0
    assert change.weights["q.weight"] == change.weights["k.weight"] == 0.0


def test_changes_combine_like_functions():
    first, second = Change(2.0, {"a": 1.0}), Change(3.0, {"a": 5.0, "b": 7.0})
    assert second.after(first) == Change(6.0, {"a": 8.0, "b": 7.0})
    assert first.plus(second) == Change(5.0, {"a": 6.0, "b": 7.0})
    assert IDENTITY.after(first) == first == first.after(IDENTITY) == first.times(1.0)
