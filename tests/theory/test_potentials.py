"""Potentials: gradients, conjugates and proxes against finite differences, brute force, Moreau and 50 digits."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from carryover._core.errors import InputError
from carryover.theory import AbsoluteValue, HyperbolicEntropy, Quadratic

SQRT_K = np.logspace(-9, 4, 14)
ARGUMENTS = np.concatenate([-np.logspace(-10, 2, 9), np.logspace(-10, 2, 9)])
POTENTIALS = [
    HyperbolicEntropy(0.3),
    HyperbolicEntropy(5.0, start=-0.7),
    HyperbolicEntropy(1e-3, start=0.2),
    Quadratic(0.6),
    AbsoluteValue(1.3),
]
smooth = st.sampled_from(POTENTIALS[:4])
points = st.floats(-3, 3)


def _exact_value(b: float, sqrt_k: float, start: float) -> mp.mpf:
    """The Bregman divergence from its definition, q(b) - q(start) - q'(start) (b - start)."""
    k, b, start = mp.mpf(sqrt_k), mp.mpf(b), mp.mpf(start)

    def entropy(x):
        return k / 4 * (1 - mp.sqrt(1 + 4 * x**2 / k**2) + 2 * x / k * mp.asinh(2 * x / k))

    return entropy(b) - entropy(start) - mp.asinh(2 * start / k) / 2 * (b - start)


def _brute_force(objective) -> tuple[float, float]:
    """The minimum of a convex function of one number: a grid, and a bounded search around its best point."""
    grid = np.linspace(-40, 40, 40001)
    best = grid[int(np.argmin(objective(grid)))]
    found = minimize_scalar(
        objective, bounds=(best - 4e-3, best + 4e-3), method="bounded", options={"xatol": 1e-12}
    )
    return float(found.x), float(found.fun)


@pytest.mark.parametrize("start", [0.0, 1e-9, -0.3, 20.0])
def test_value_gradient_and_conjugate_to_ten_digits_for_any_k(start):
    """k from 1e-18 to 1e8, b from 1e-10 to 100."""
    for sqrt_k in SQRT_K:
        potential = HyperbolicEntropy(sqrt_k, start)
        value, gradient = potential.value(ARGUMENTS), potential.gradient(ARGUMENTS)
        curvature = potential.curvature(ARGUMENTS)
        with mp.workdps(80):
            width, origin = mp.mpf(sqrt_k), mp.asinh(2 * mp.mpf(start) / mp.mpf(sqrt_k))
            for i, b in enumerate(ARGUMENTS):
                angle = mp.asinh(2 * mp.mpf(b) / width)
                # What doubles can hold of b - start, where the two are close.
                slack = 1e-10 + 4e-16 * (abs(start) + abs(b)) / abs(b - start) if start else 1e-10
                assert gradient[i] == pytest.approx(float((angle - origin) / 2), rel=20 * slack, abs=0)
                exact = float(_exact_value(b, sqrt_k, start))
                assert value[i] == pytest.approx(exact, rel=40 * slack, abs=0)
                assert curvature[i] == pytest.approx(
                    float(1 / mp.hypot(width, 2 * mp.mpf(b))), rel=1e-14, abs=0
                )
                if start == 0.0:
                    slope = gradient[i]
                    conjugate = width / 4 * (mp.cosh(2 * mp.mpf(slope)) - 1)
                    assert potential.conjugate(slope) == pytest.approx(float(conjugate), rel=1e-13, abs=0)
                    back = width / 2 * mp.sinh(2 * mp.mpf(slope))
                    assert potential.conjugate_gradient(slope) == pytest.approx(float(back), rel=1e-13, abs=0)


@given(smooth, points)
def test_gradient_is_the_slope_of_the_value(potential, b):
    step = 1e-6 * (1 + abs(b))
    slope = (potential.value(b + step) - potential.value(b - step)) / (2 * step)
    # Near 0 a narrow entropy bends within the step.
    slack = 1e-3 if abs(b) < 0.01 else 1e-7
    assert potential.gradient(b) == pytest.approx(slope, rel=1e-6, abs=slack)


@given(st.sampled_from(POTENTIALS[:3]), points)
def test_curvature_is_the_slope_of_the_gradient(potential, b):
    step = 1e-4 * float(np.hypot(potential.sqrt_k, b))
    slope = (potential.gradient(b + step) - potential.gradient(b - step)) / (2 * step)
    assert potential.curvature(b) == pytest.approx(slope, rel=1e-6, abs=0)


@given(st.sampled_from(POTENTIALS), points)
def test_potential_is_least_and_0_at_its_start(potential, b):
    start = getattr(potential, "start", 0.0)
    assert potential.value(start) == 0.0
    assert potential.gradient(start) == 0.0
    assert potential.value(b) >= 0.0


@pytest.mark.parametrize("potential", POTENTIALS)
@pytest.mark.parametrize("slope", [-1.2, -0.3, 0.0, 0.4, 1.25])
def test_conjugate_by_brute_force(potential, slope):
    _, least = _brute_force(lambda b: potential.value(b) - slope * b)
    assert potential.conjugate(slope) == pytest.approx(-least, abs=1e-9)


def test_conjugate_of_l1_is_infinite_beyond_its_weight():
    assert AbsoluteValue(1.3).conjugate(1.31) == np.inf


@given(smooth, st.floats(-1, 1))
def test_fenchel_equality_where_the_slope_is_the_gradient(potential, b):
    slope = potential.gradient(b)
    assert potential.value(b) + potential.conjugate(slope) == pytest.approx(slope * b, rel=1e-9, abs=1e-12)


@given(st.sampled_from(POTENTIALS[:3]), st.floats(-3, 3))
def test_conjugate_gradient_inverts_the_gradient(potential, b):
    assert potential.conjugate_gradient(potential.gradient(b)) == pytest.approx(b, rel=1e-11, abs=1e-13)


@pytest.mark.parametrize("potential", POTENTIALS)
@pytest.mark.parametrize("strength", [0.0, 0.01, 1.0, 30.0])
@pytest.mark.parametrize("z", [-4.0, -0.02, 0.0, 0.7, 5.0])
def test_prox_by_brute_force(potential, strength, z):
    where, least = _brute_force(lambda b: (b - z) ** 2 / 2 + strength * potential.value(b))
    found = potential.prox(z, strength)
    assert (found - z) ** 2 / 2 + strength * potential.value(found) <= least + 1e-13 * (1 + abs(least))
    assert found == pytest.approx(where, abs=1e-5)


@given(st.sampled_from(POTENTIALS), points, st.floats(-2, 1).map(lambda x: 10.0**x))
def test_moreau_identity(potential, z, strength):
    """z = prox_{t f}(z) + p, where p = t prox_{f* / t}(z / t) minimises t |p / t - z / t|^2 / 2 + f*(p / t)."""
    dual = float((z - potential.prox(z, strength)) / strength)  # in the domain of f*

    def objective(s):
        with np.errstate(over="ignore", invalid="ignore"):
            return strength * (s - z / strength) ** 2 / 2 + potential.conjugate(s)

    weight = getattr(potential, "weight", None)
    dual = dual if weight is None else float(np.clip(dual, -weight, weight))  # rounding
    here = objective(dual)
    for step in (1e-3, -1e-3, 0.1, -0.1, 1.0, -1.0):
        assert objective(dual + step) >= here - 1e-12 * (1 + abs(here))
    envelopes = (potential.prox(z, strength) - z) ** 2 / (2 * strength) + potential.value(
        potential.prox(z, strength)
    )
    assert envelopes + here == pytest.approx(z**2 / (2 * strength), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("start", [0.0, 0.5])
def test_prox_solves_its_equation_for_any_k_and_strength(start):
    """z - b = strength q'(b), to rounding of the larger of its terms."""
    for sqrt_k in SQRT_K:
        potential = HyperbolicEntropy(sqrt_k, start)
        for strength in (0.0, 1e-12, 1e-3, 1.0, 1e6):
            b = potential.prox(ARGUMENTS, strength)
            pull = strength * potential.gradient(b)
            origin = strength * np.abs(potential.gradient(0.0))
            size = np.abs(b) + np.abs(pull) + np.abs(ARGUMENTS) + 2 * origin
            assert (np.abs(b + pull - ARGUMENTS) <= 1e-13 * size).all()


def test_hyperbolic_entropy_tends_to_ridge_for_large_k():
    """Like 1 / k, in value, gradient, conjugate and prox."""
    b = np.array([-2.0, 0.5, 3.0])
    for sqrt_k in (1e3, 1e5):
        entropy, ridge = HyperbolicEntropy(sqrt_k), Quadratic(1.0 / sqrt_k)
        slack = 40.0 / sqrt_k**2
        np.testing.assert_allclose(entropy.value(b), ridge.value(b), rtol=slack)
        np.testing.assert_allclose(entropy.gradient(b), ridge.gradient(b), rtol=slack)
        np.testing.assert_allclose(entropy.conjugate(b / sqrt_k), ridge.conjugate(b / sqrt_k), rtol=slack)
        np.testing.assert_allclose(entropy.prox(b, 1e3), ridge.prox(b, 1e3), rtol=slack)


def test_hyperbolic_entropy_tends_to_l1_for_small_k():
    """2 q / log(1 / sqrt k) tends to |b|, with the remainder |b| log(4 |b| / e) / log(1 / sqrt k)."""
    b = np.array([-2.0, 0.5, 3.0])
    for sqrt_k in (1e-4, 1e-8):
        factor = 2.0 / np.log(1.0 / sqrt_k)
        remainder = np.abs(b) * np.log(4 * np.abs(b) / np.e) * factor / 2
        entropy = factor * HyperbolicEntropy(sqrt_k).value(b)
        np.testing.assert_allclose(entropy, AbsoluteValue(1.0).value(b) + remainder, rtol=1e-4)
    far = 1e-300
    slope = 2.0 / np.log(1.0 / far)
    np.testing.assert_allclose(
        HyperbolicEntropy(far).prox(b, 0.4 * slope), AbsoluteValue(0.4).prox(b, 1.0), atol=0.01
    )
    assert np.abs(HyperbolicEntropy(far).prox(0.3, 0.4 * slope)) < 1e-60


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: HyperbolicEntropy(0.0), r"sqrt_k must lie in \(0, inf\), got 0"),
        (lambda: HyperbolicEntropy(1.0, np.nan), "start must be finite, got nan"),
        (lambda: Quadratic(-1.0), r"second_derivative must lie in \(0, inf\), got -1"),
        (lambda: AbsoluteValue(0.0), r"weight must lie in \(0, inf\), got 0"),
        *(
            (lambda f=f: f.prox(1.0, -1.0), r"strength must lie in \[0, inf\), got -1")
            for f in (POTENTIALS[0], POTENTIALS[3], POTENTIALS[4])
        ),
    ],
)
def test_potentials_that_cannot_be_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
