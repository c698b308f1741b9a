"""Debiased CKA against its definition over quadruples of examples, and against the laws it estimates."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carryover._core.errors import InputError
from carryover.measures.cka import debiased_cka, unbiased_hsic


def _pair(n: int, d1: int, d2: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng([seed, n, d1, d2])
    first = generator.normal(size=(n, d1))
    return first, np.tanh(first @ generator.normal(size=(d1, d2))) + generator.normal(size=(n, d2))


def _by_quadruples(first: np.ndarray, second: np.ndarray) -> float:
    """The mean over all ordered quadruples of different rows of k_ij (l_ij + l_qr - 2 l_iq)."""
    k, l = first @ first.T, second @ second.T  # noqa: E741
    terms = [
        k[i, j] * (l[i, j] + l[q, r] - 2 * l[i, q]) for i, j, q, r in itertools.permutations(range(len(k)), 4)
    ]
    return float(np.mean(terms))


@pytest.mark.parametrize(("n", "d1", "d2"), [(4, 2, 3), (7, 2, 2), (7, 20, 3), (6, 30, 40)])
def test_hsic_is_the_mean_over_quadruples(n, d1, d2):
    first, second = _pair(n, d1, d2)
    assert unbiased_hsic(first, second) == pytest.approx(_by_quadruples(first, second), rel=1e-10)
    shifted = unbiased_hsic(first + 3.0, second - 2.0)
    assert shifted == pytest.approx(unbiased_hsic(first, second), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("link", [0.0, 0.7])
def test_hsic_is_unbiased(link):
    """x ~ N(0, I_3), y = link M x + noise: the squared norm of their covariance is link^2 ||M||^2."""
    generator = np.random.default_rng(5)
    mixing = np.array([[1.0, 0.5, 0.0], [0.0, -1.0, 0.3]])
    found = []
    for _ in range(2000):
        first = generator.normal(size=(6, 3))
        found.append(unbiased_hsic(first, link * first @ mixing.T + generator.normal(size=(6, 2))))
    error = np.std(found) / np.sqrt(len(found))
    assert np.mean(found) == pytest.approx(link**2 * (mixing**2).sum(), abs=4 * error)
    assert error < 0.2


def test_cka_is_the_ratio_of_hsics_of_any_scale():
    first, second = _pair(12, 5, 4)
    ratio = _by_quadruples(first, second) / np.sqrt(
        _by_quadruples(first, first) * _by_quadruples(second, second)
    )
    assert debiased_cka(first, second).value == pytest.approx(ratio, rel=1e-10)


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.sampled_from([(10, 4, 6), (10, 25, 3), (9, 30, 30)]), st.floats(1e-8, 1e8))
def test_invariances(seed, shape, scale):
    first, second = _pair(*shape, seed=seed)
    found = debiased_cka(first, second)
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(shape[1], shape[1])))[0]
    moved = debiased_cka(second, scale * (first @ turn) + scale)
    assert moved.status == found.status
    if found.ok:
        assert moved.value == pytest.approx(found.value, rel=1e-7, abs=1e-7)
        itself = debiased_cka(first, scale * first @ turn)
        assert itself.value == pytest.approx(1.0, abs=1e-9)


def test_independent_wide_features_are_not_alike():
    """With as many features as examples the plain estimate is near 1 whatever the features; this one is near 0."""
    generator = np.random.default_rng(0)
    found, plain = [], []
    for _ in range(40):
        first, second = generator.normal(size=(2, 50, 200))
        found.append(debiased_cka(first, second).value)
        grams = [(rows - rows.mean(axis=0)) @ (rows - rows.mean(axis=0)).T for rows in (first, second)]
        plain.append(np.vdot(*grams) / np.prod([np.linalg.norm(one) for one in grams]))
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(40)
    assert np.mean(plain) > 0.7


def test_features_too_noisy_or_constant_fail():
    assert "first: no feature varies" in debiased_cka(np.ones((5, 2)), np.arange(10.0).reshape(5, 2)).reason
    orthogonal = debiased_cka(np.eye(6), np.eye(6))
    assert orthogonal.status == "failed" and "cannot be told from noise" in orthogonal.reason


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (np.eye(3), np.eye(3), "first must have at least 4 rows, got 3"),
        (np.eye(4), np.eye(5), "same examples, got 4 and 5 rows"),
        (np.eye(4), np.full((4, 1), np.inf), "second has 4 values"),
    ],
)
def test_misuse_is_named(first, second, message):
    with pytest.raises(InputError, match=message):
        debiased_cka(first, second)
