"""Finite-size solutions: optimality, limits in k against pinv and linear programming, invariances, refusals."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import null_space
from scipy.optimize import linprog
from theory_examples import small_problem

from carryover._core.errors import InputError, NotComputedError
from carryover.theory import HyperbolicEntropy, interpolate, interpolation, ridge_fit

X, Y = small_problem(12, 30, 0)
WEIGHTS = np.random.default_rng(1).uniform(0.5, 2.0, 30)  # of sqrt k
START = np.random.default_rng(2).normal(size=30)


def outside_row_space(angle: np.ndarray) -> float:
    return float(np.linalg.norm(null_space(X).T @ angle) / np.linalg.norm(angle))


@pytest.mark.parametrize("size", [1e-9, 1e-5, 1e-2, 1.0, 1e4])
@pytest.mark.parametrize("start", [0.0, START])
def test_interpolates_with_a_gradient_in_the_row_space(size, start):
    """The optimality conditions of the convex problem, which has one minimum."""
    potential = HyperbolicEntropy(size * WEIGHTS, start)
    found = interpolate(X, Y, potential)
    beta = found.raise_if_failed()
    assert np.linalg.norm(X @ beta - Y) <= 1e-10 * np.linalg.norm(Y)
    assert found.stats["residual"] == pytest.approx(
        np.linalg.norm(X @ beta - Y) / np.linalg.norm(Y), abs=1e-15
    )
    # Below |beta| ~ 1e-16 sqrt(n) the gradient is set by digits that beta carries along, and it still holds.
    assert outside_row_space(potential.gradient(beta)) < 1e-10
    np.testing.assert_allclose(X.T @ found.stats["dual"], potential.gradient(beta), atol=1e-9)


@settings(max_examples=30)
@given(st.floats(-6, 2), st.integers(0, 10**6))
def test_no_other_interpolator_has_a_smaller_potential(size, seed):
    potential = HyperbolicEntropy(10.0**size * WEIGHTS, 0.3 * START)
    beta = interpolate(X, Y, potential).raise_if_failed()
    free = null_space(X)
    step = free @ np.random.default_rng(seed).normal(size=free.shape[1])
    least = potential.value(beta).sum()
    for length in (1e-3, 0.1, 1.0):
        assert potential.value(beta + length * step).sum() > least


def test_large_k_is_the_weighted_minimum_norm():
    """D X^T (X D X^T)^-1 y with D = diag(sqrt k), and the nearest interpolator to a start."""
    spread = np.diag(WEIGHTS)
    pull = spread @ X.T @ np.linalg.inv(X @ spread @ X.T)
    for start in (np.zeros(30), START):
        potential = HyperbolicEntropy(1e7 * WEIGHTS, start)
        expected = start + pull @ (Y - X @ start)
        np.testing.assert_allclose(
            interpolate(X, Y, potential).raise_if_failed(), expected, atol=1e-12 * np.abs(expected).max()
        )
    plain = interpolate(X, Y, HyperbolicEntropy(1e7)).raise_if_failed()
    np.testing.assert_allclose(plain, np.linalg.pinv(X) @ Y, atol=1e-12)


def basis_pursuit(features: np.ndarray, targets: np.ndarray) -> np.ndarray:
    d = features.shape[1]
    found = linprog(
        np.ones(2 * d), A_eq=np.hstack([features, -features]), b_eq=targets, bounds=(0, None), method="highs"
    )
    return found.x[:d] - found.x[d:]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_tiny_k_tends_to_the_least_l1_norm(seed):
    """Dense teachers: the share by which the norm exceeds the least falls like 1 / log(1 / sqrt k)."""
    features, targets = small_problem(12, 30, seed)
    least = np.abs(basis_pursuit(features, targets)).sum()
    excess = [
        np.abs(interpolate(features, targets, HyperbolicEntropy(sqrt_k)).raise_if_failed()).sum() / least - 1
        for sqrt_k in (1e-3, 1e-6, 1e-9)
    ]
    assert 0 <= excess[2] < excess[1] < excess[0]
    assert excess[2] < 0.5 / np.log(1e9)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_tiny_k_finds_what_basis_pursuit_finds(seed):
    """Sparse teachers, 2 of 30: the same coefficients, which are the teacher's."""
    features, _ = small_problem(15, 30, seed)
    teacher = np.zeros(30)
    teacher[[3, 20]] = 1.0, -2.0
    expected = basis_pursuit(features, features @ teacher)
    np.testing.assert_allclose(expected, teacher, atol=1e-9)
    found = interpolate(features, features @ teacher, HyperbolicEntropy(1e-9)).raise_if_failed()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_as_many_samples_as_dimensions_leave_no_choice():
    features, targets = small_problem(15, 15, 3)
    expected = np.linalg.solve(features, targets)
    for sqrt_k in (1e-3, 1e3):
        found = interpolate(features, targets, HyperbolicEntropy(sqrt_k)).raise_if_failed()
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("factor", [1e-6, 1e5])
def test_scale_sign_order_and_mixing_of_samples(factor):
    """Labels, start and sqrt k scale together; signs and places of coordinates move along; samples may be mixed."""
    potential = HyperbolicEntropy(0.01 * WEIGHTS, 0.1 * START)
    beta = interpolate(X, Y, potential).raise_if_failed()
    scaled = HyperbolicEntropy(factor * potential.sqrt_k, factor * potential.start)
    np.testing.assert_allclose(
        interpolate(X, factor * Y, scaled).raise_if_failed(), factor * beta, atol=1e-9 * factor
    )
    generator = np.random.default_rng(4)
    order, sign = generator.permutation(30), generator.choice([-1.0, 1.0], 30)
    moved = HyperbolicEntropy(potential.sqrt_k[order], (sign * potential.start)[order])
    np.testing.assert_allclose(
        interpolate((X * sign)[:, order], Y, moved).raise_if_failed(), (sign * beta)[order], atol=1e-9
    )
    mix = generator.normal(size=(12, 12))
    np.testing.assert_allclose(interpolate(mix @ X, mix @ Y, potential).raise_if_failed(), beta, atol=1e-8)


def test_labels_of_0_give_0_and_a_start_that_interpolates_stays():
    assert not interpolate(X, np.zeros(12), HyperbolicEntropy(0.1)).value.any()
    beta = interpolate(X, X @ START, HyperbolicEntropy(0.1, START)).raise_if_failed()
    np.testing.assert_allclose(beta, START, atol=1e-10)


def test_a_start_in_the_dual_changes_the_way_and_not_the_end():
    potential = HyperbolicEntropy(1e-6)
    first = interpolate(X, Y, potential)
    for start in (first.stats["dual"], np.full(12, 1e6)):
        again = interpolate(X, Y, potential, dual_start=start)
        np.testing.assert_allclose(again.raise_if_failed(), first.value, atol=1e-9)
    assert interpolate(X, Y, potential, dual_start=first.stats["dual"]).stats["steps"] <= 1


@pytest.mark.parametrize("shape", [(12, 30), (30, 30), (40, 20)])
@pytest.mark.parametrize("strength", [1e-4, 0.1, 100.0])
@pytest.mark.parametrize("size", [1e-4, 1.0])
def test_ridge_is_stationary(shape, strength, size):
    """X^T (y - X beta) = strength (q'(beta) - q'(start)) for any n and d."""
    features, targets = small_problem(*shape, 5)
    potential = HyperbolicEntropy(size, 0.2)
    beta = ridge_fit(features, targets, potential, strength=strength).raise_if_failed()
    pull = features.T @ (targets - features @ beta)
    np.testing.assert_allclose(strength * potential.gradient(beta), pull, atol=1e-8 * np.abs(targets).max())


def test_ridge_with_large_k_is_tikhonov():
    sqrt_k, strength = 1e7, 3e6
    expected = np.linalg.solve(X.T @ X + strength / sqrt_k * np.eye(30), X.T @ Y)
    found = ridge_fit(X, Y, HyperbolicEntropy(sqrt_k), strength=strength).raise_if_failed()
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_ridge_of_strength_tending_to_0_interpolates():
    potential = HyperbolicEntropy(1e-2)
    limit = interpolate(X, Y, potential).raise_if_failed()
    gaps = [
        np.linalg.norm(ridge_fit(X, Y, potential, strength=t).raise_if_failed() - limit)
        for t in (1e-3, 1e-5, 1e-11)
    ]
    assert gaps[1] < 0.02 * gaps[0]
    assert gaps[2] < 1e-9


def test_newton_that_stops_early_is_a_status_with_a_reason(monkeypatch):
    monkeypatch.setattr(interpolation, "_MOST_STEPS", 1)
    found = interpolate(X, Y, HyperbolicEntropy(1e-6))
    assert (found.status, found.value) == ("failed", None)
    assert "Newton method stopped at a relative residual of" in found.reason
    assert "after 1 steps" in found.reason
    with pytest.raises(NotComputedError, match="failed: the damped Newton method stopped"):
        found.raise_if_failed()


POTENTIAL = HyperbolicEntropy(1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: interpolate(X[0], Y, POTENTIAL), r"X must be a matrix \(n, d\) .* got shape \(30,\)"),
        (lambda: interpolate(X[:0], Y[:0], POTENTIAL), r"X must be a matrix .* got shape \(0, 30\)"),
        (lambda: interpolate(X, Y[:-1], POTENTIAL), r"y must have shape \(12,\), .* got \(11,\)"),
        (lambda: interpolate(X * np.nan, Y, POTENTIAL), "X must be finite, got nan"),
        (lambda: interpolate(X, Y + np.inf, POTENTIAL), "y must be finite, got inf"),
        (
            lambda: interpolate(np.vstack([X, X[:1]]), np.append(Y, Y[0]), POTENTIAL),
            r"X must have full row rank 13, got rank 12 \(shape \(13, 30\)\): drop dependent rows",
        ),
        (
            lambda: interpolate(np.vstack([X, X[:1]]), np.append(Y, Y[0] + 1), POTENTIAL),
            "y must lie in the range of X: no beta interpolates it .*13 rows, rank 12",
        ),
        (lambda: interpolate(X.T, np.ones(30), POTENTIAL), "y must lie in the range of X.*30 rows, rank 12"),
        (lambda: interpolate(X.T, X.T @ Y, POTENTIAL), "X must have full row rank 30, got rank 12"),
        (lambda: interpolate(0 * X, 0 * Y, POTENTIAL), "X must have full row rank 12, got rank 0"),
        (
            lambda: ridge_fit(X, Y, POTENTIAL, strength=[1.0, 2.0]),
            r"strength must be a single number, got an array of shape \(2,\)",
        ),
        (
            lambda: interpolate(X, Y, HyperbolicEntropy(WEIGHTS[:-1])),
            r"the potential must have shape \(\) or \(30,\), as X has columns",
        ),
        (
            lambda: interpolate(X, Y, HyperbolicEntropy(1.0, START[:5])),
            r"the potential must have shape \(\) or \(30,\), as X has columns",
        ),
        (
            lambda: interpolate(X, Y, POTENTIAL, dual_start=Y[:3]),
            r"dual_start must have shape \(12,\), as X has rows, got \(3,\)",
        ),
        (lambda: ridge_fit(X, Y, POTENTIAL, strength=0.0), r"strength must lie in \(0, inf\), got 0"),
        (lambda: ridge_fit(X, Y[:-1], POTENTIAL, strength=1.0), r"y must have shape \(12,\)"),
        (
            lambda: interpolate(X, Y, replace(POTENTIAL, sqrt_k=-1.0)),
            r"sqrt_k must lie in \(0, inf\), got -1",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_a_nearly_dependent_row_is_still_solved():
    """A singular value of 1e-4 of the largest is full rank, and costs no digits of the fit."""
    features = np.vstack([X, X[0] + 1e-4 * START])
    beta = interpolate(features, features @ START, HyperbolicEntropy(1.0)).raise_if_failed()
    np.testing.assert_allclose(features @ beta, features @ START, atol=1e-9)
