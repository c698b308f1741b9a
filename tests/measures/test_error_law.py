"""The error law: exact recovery, an independent solver, abstention."""

import numpy as np
import pytest
from scipy.optimize import nnls

from carryover._core.errors import InputError
from carryover.measures.curve_resampling import draw_resampling, mean_errors, resample_errors
from carryover.measures.error_law import EXPONENTS, Extrapolation, extrapolate, fit_error_law
from carryover.measures.learning_curve import LearningCurve

SIZES = np.array([50.0, 100.0, 200.0, 400.0])


def flipped(rates: np.ndarray, seed: int, t: int = 800) -> LearningCurve:
    """A curve whose losses are independent coins of the given rates: no variance but the test examples'."""
    generator = np.random.default_rng(seed)
    losses = (generator.random((len(rates) - 1, 10, 2, t)) < rates[:-1, None, None, None]).astype(float)
    full = (generator.random(t) < rates[-1]).astype(float)
    return LearningCurve(
        task="classification",
        sizes=400.0 / 2.0 ** np.arange(len(rates) - 1, -1, -1),
        accuracy=1 - np.append(losses.mean(axis=(1, 2, 3)), full.mean()),
        estimates=(),
        half_losses=losses,
        full_losses=full,
    )


def extrapolated(rates: np.ndarray, seed: int = 0) -> Extrapolation:
    curve = flipped(rates, seed)
    return extrapolate(curve, draw_resampling(curve, n_draws=300, generator=np.random.default_rng(seed)))


@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.5])
def test_an_exact_law_is_recovered(exponent: float) -> None:
    errors = 0.1 + 0.2 * (SIZES / 400) ** -exponent
    law = fit_error_law(SIZES, errors[None], weights=SIZES)
    np.testing.assert_allclose(
        [law.asymptote[0], law.amplitude[0], law.exponent[0]], [0.1, 0.2, exponent], atol=1e-9
    )
    np.testing.assert_allclose(law.error(800.0), 0.1 + 0.2 * 2**-exponent)


def test_the_best_grid_point_agrees_with_scipy_nnls() -> None:
    generator = np.random.default_rng(0)
    errors = np.abs(generator.normal(0.3, 0.2, (40, 4)))
    law = fit_error_law(SIZES, errors, weights=SIZES)
    root = np.sqrt(SIZES)
    for row, asymptote, amplitude, exponent in zip(
        errors, law.asymptote, law.amplitude, law.exponent, strict=True
    ):
        fits = [
            nnls(root[:, None] * np.stack([np.ones(4), (SIZES / 400) ** -c], axis=1), root * row)
            for c in EXPONENTS
        ]
        own = np.linalg.norm(root * (asymptote + amplitude * (SIZES / 400) ** -exponent - row))
        assert own <= min(fit[1] for fit in fits) + 1e-9


def test_the_slope_is_kept_when_the_exponent_rises() -> None:
    law = fit_error_law(SIZES, (0.1 + 0.2 * (SIZES / 400) ** -0.5)[None], weights=SIZES)
    np.testing.assert_allclose(law.excess_beyond(np.zeros(1)), 0.2)
    np.testing.assert_allclose(law.excess_beyond(np.ones(1)), 0.1)


def test_too_few_sizes_and_rising_errors_abstain() -> None:
    few = extrapolated(np.array([0.4, 0.3]))
    assert (
        few.asymptote.status == "abstained" and "needs 3 sizes of training set and 2" in few.asymptote.reason
    )
    rising = extrapolated(np.array([0.1, 0.2, 0.3, 0.4]))
    assert "rises with the number of labels" in rising.gain_from_doubling.reason


def test_an_asymptote_that_could_be_anything_abstains() -> None:
    found = extrapolated(np.array([0.004, 0.0038, 0.0036, 0.0035]))
    assert found.asymptote.status == "abstained" and "levelled off" in found.asymptote.reason
    assert found.gain_from_doubling.ok


def test_draws_scatter_around_the_means_and_weights_select() -> None:
    curve = flipped(0.1 + 0.2 * (SIZES / 400) ** -1, 3)
    resampling = draw_resampling(curve, n_draws=2000, generator=np.random.default_rng(0))
    chosen = (np.arange(800) < 200).astype(float)
    for weights in (None, chosen):
        draws = resample_errors(curve, resampling, example_weights=weights)
        np.testing.assert_allclose(draws.mean(axis=0), mean_errors(curve, example_weights=weights), atol=4e-3)
    np.testing.assert_allclose(
        mean_errors(curve, example_weights=chosen)[-1], curve.full_losses[:200].mean(), atol=1e-12
    )
    # The full size's standard deviation is binomial: nothing but the test examples varies.
    rate = curve.full_losses.mean()
    assert 0.9 < resample_errors(curve, resampling)[:, -1].std() / (rate * (1 - rate) / 800) ** 0.5 < 1.25


def test_no_draws_are_refused() -> None:
    with pytest.raises(InputError, match="n_draws must be >= 1, got 0"):
        draw_resampling(flipped(np.full(3, 0.2), 0), n_draws=0, generator=np.random.default_rng(0))
