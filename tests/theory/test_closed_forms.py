"""Closed forms: their own identities, refusals, and the finite least squares that they describe."""

import numpy as np
import pytest

from carryover._core.errors import InputError
from carryover.theory import minimum_norm_error, ridgeless_error


def test_without_noise_ridgeless_is_the_minimum_norm():
    alpha = np.array([0.05, 0.5, 0.999, 1.0, 3.0])
    np.testing.assert_array_equal(ridgeless_error(alpha, signal=2.0), minimum_norm_error(alpha, 2.0))
    np.testing.assert_array_equal(minimum_norm_error(alpha)[3:], 0.0)


@pytest.mark.parametrize(("alpha", "noise_std"), [(0.4, 0.5), (0.6, 0.0), (1.6, 0.7)])
def test_finite_least_squares_has_these_errors(alpha, noise_std):
    """Pseudo-inverse at d = 300, 40 draws, within 4 standard errors and 2 % for the finite size."""
    d, errors = 300, []
    for seed in range(40):
        generator = np.random.default_rng([seed, round(100 * alpha)])
        features = generator.normal(size=(round(alpha * d), d)) / np.sqrt(d)
        teacher = generator.normal(size=d)
        labels = features @ teacher + noise_std * generator.normal(size=len(features))
        errors.append(np.mean((np.linalg.pinv(features) @ labels - teacher) ** 2))
    expected = float(ridgeless_error(alpha, noise_std**2))
    slack = 4 * np.std(errors, ddof=1) / np.sqrt(len(errors)) + 0.02 * expected
    assert np.mean(errors) == pytest.approx(expected, abs=slack)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: minimum_norm_error(0.0), r"alpha must lie in \(0, inf\), got 0"),
        (lambda: minimum_norm_error(0.5, -1.0), r"signal must lie in \[0, inf\), got -1"),
        (lambda: ridgeless_error(np.nan), "alpha must be finite, got nan"),
        (lambda: ridgeless_error(0.5, -0.1), r"label_noise_variance must lie in \[0, inf\), got -0.1"),
        (lambda: ridgeless_error([0.5, 1.0], 0.1), "alpha must not be 1 with label noise"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
