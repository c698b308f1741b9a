"""Xu and Raginsky's bound: exact information in Gaussian cases, unbiased parts, what is refused."""

import math

import numpy as np
import pytest

from carryover._core.errors import InputError
from carryover.bounds.xu_raginsky import information_gap, known_information_bound, noisy_weights_bound


def _noisy(weights, errors=None, *, noise_std=1.0, n=50):
    errors = np.full(len(weights), 0.2) if errors is None else errors
    return noisy_weights_bound(weights, errors, noise_std=noise_std, n=n)


def test_root_is_the_least_of_the_lines_it_is_estimated_by():
    information, n = 3.0, 40
    slopes = np.geomspace(1e-3, 10, 20001)
    lines = information / (n * slopes) + slopes / 8
    assert lines.min() == pytest.approx(information_gap(information, n=n), rel=1e-6)


def test_monotone():
    assert information_gap(1.0, n=100) < information_gap(2.0, n=100) < information_gap(2.0, n=50)
    weights = np.random.default_rng(0).normal(size=(8, 3))
    gaps = [_noisy(weights, noise_std=std).terms["information"] for std in (0.5, 1.0, 2.0)]
    assert gaps == sorted(gaps, reverse=True)
    gaps = [_noisy(weights, n=n).terms["information"] for n in (20, 200, 2000)]
    assert gaps == sorted(gaps, reverse=True)


@pytest.mark.parametrize("n_sets", [3, 6, 40])
def test_mean_over_draws_is_above_the_root_of_the_information_at_any_number_of_sets(n_sets):
    """Gaussian weights of variance v with Gaussian noise: I = (p/2) log(1 + v / noise^2), exactly."""
    p, spread, n = 4, 0.7, 30
    information = p / 2 * math.log(1 + spread**2)
    generator = np.random.default_rng(n_sets)
    gaps = [_noisy(spread * generator.normal(size=(n_sets, p)), n=n).terms["information"] for _ in range(300)]
    root = information_gap(information, n=n)
    assert root < np.mean(gaps) < 1.7 * root


def test_divergences_agree_with_a_double_loop():
    weights = np.random.default_rng(1).normal(size=(5, 2))
    bound, n = _noisy(weights, noise_std=0.5, n=20), 20
    total = divergence = 0.0
    for j in range(5):
        rest = np.delete(weights, j, axis=0)
        own = ((weights[j] - rest.mean(axis=0)) ** 2).sum() / (2 * 0.25)
        among = np.mean(
            [((rest[i] - np.delete(rest, i, axis=0).mean(axis=0)) ** 2).sum() / (2 * 0.25) for i in range(4)]
        )
        slope = math.sqrt(8 * among / n)
        total += (own / (n * slope) + slope / 8) / 5
        divergence += own / 5
    assert bound.terms["information"] == pytest.approx(total, rel=1e-12)
    assert bound.stats["information"] == pytest.approx(divergence, rel=1e-12)


def test_invariant_to_shift_and_rotation_and_to_the_unit_of_the_weights():
    generator = np.random.default_rng(2)
    weights, turn = generator.normal(size=(6, 3)), np.linalg.qr(generator.normal(size=(3, 3)))[0]
    value = _noisy(weights).value
    assert _noisy(weights @ turn + 3).value == pytest.approx(value)
    assert _noisy(1e3 * weights, noise_std=1e3).value == pytest.approx(value)


def test_equal_weights_cost_next_to_nothing_and_nothing_is_below_the_training_error():
    bound = _noisy(np.ones((4, 2)), n=1000)
    assert bound.terms["training_error"] == pytest.approx(0.2)
    assert 0 < bound.terms["information"] < 1e-3
    assert bound.value >= 0.2 and bound.null is None and bound.n_repeats == 4


def test_a_choice_among_k_costs_the_root_of_log_k():
    bound = known_information_bound(np.array([0.1, 0.3]), information=math.log(20), n=200)
    assert bound.terms["training_error"] == pytest.approx(0.2)
    assert bound.terms["information"] == pytest.approx(math.sqrt(math.log(20) / 400))
    assert bound.value == pytest.approx(sum(bound.terms.values())) and not bound.vacuous


def test_misuse_is_named():
    weights = np.ones((4, 2))
    with pytest.raises(InputError, match="at least 3 training sets are needed, got 2"):
        _noisy(weights[:2])
    with pytest.raises(InputError, match="at least 1 training sets are needed, got 0"):
        known_information_bound(np.array([]), information=1.0, n=5)
    with pytest.raises(InputError, match=r"training_errors must lie in \[0, 1\], got 1.2"):
        _noisy(weights, np.array([0.1, 0.2, 1.2, 0.3]))
    with pytest.raises(InputError, match=r"noise_std must lie in \(0, inf\), got 0.0"):
        _noisy(weights, noise_std=0.0)
    with pytest.raises(InputError, match="weights must have one row for each of the 3 errors, got 4"):
        _noisy(weights, np.zeros(3))
    with pytest.raises(InputError, match=r"information must lie in \[0, inf\], got -1"):
        information_gap(-1.0, n=3)
    with pytest.raises(InputError, match=r"n must lie in \[1, inf\], got 0"):
        information_gap(1.0, n=0)
    with pytest.raises(InputError, match=r"n must lie in \[1, inf\], got 0"):
        _noisy(weights, n=0)
