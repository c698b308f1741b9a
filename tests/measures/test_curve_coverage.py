"""Intervals of the learning curve and of its extrapolation cover the truth on a law where the truth is known."""

from collections.abc import Iterator

import numpy as np
import pytest
from jaxtyping import config
from scipy.stats import norm

from carryover.measures.curve_resampling import draw_resampling
from carryover.measures.error_law import extrapolate
from carryover.measures.learning_curve import measure_learning_curve
from carryover.measures.ridge_scores import ridge_scores

N_TRAIN, N_TEST, N_FEATURES, SHIFT = 96, 300, 8, 0.6
DRAWS = 500


@pytest.fixture
def without_shape_checks() -> Iterator[None]:
    """Hundreds of thousands of small calls: checking their shapes takes twice as long as making them."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


def two_classes(n: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """N(-+ SHIFT (1, 1, 0, ..), I), as many of one class as of the other."""
    labels = generator.permutation(np.arange(n) % 2)
    features = generator.standard_normal((n, N_FEATURES))
    features[:, :2] += SHIFT * (2 * labels[:, None] - 1)
    return features, labels


def true_error(features: np.ndarray, labels: np.ndarray) -> float:
    """Exact error of the probe trained on these rows: its boundary is a hyperplane."""
    points = np.vstack([np.zeros(N_FEATURES), np.eye(N_FEATURES)])
    margins = np.diff(ridge_scores(features, labels, points, n_classes=2), axis=1)[:, 0]
    slope, length = margins[1:] - margins[0], np.linalg.norm(margins[1:] - margins[0])
    if length == 0:
        return 0.5
    centre = SHIFT * (slope[0] + slope[1])
    return float((norm.cdf(-(margins[0] + centre) / length) + norm.cdf((margins[0] - centre) / length)) / 2)


def mean_accuracy(n: int, generator: np.random.Generator, repeats: int = 600) -> float:
    return 1 - float(np.mean([true_error(*two_classes(n, generator)) for _ in range(repeats)]))


@pytest.mark.slow
@pytest.mark.usefixtures("without_shape_checks")
def test_intervals_cover_and_are_not_wide() -> None:
    generator = np.random.default_rng(0)
    sizes = N_TRAIN // 2 ** np.arange(3, -1, -1)
    truth = [mean_accuracy(int(n), generator) for n in (*sizes, 2 * N_TRAIN)]
    truth = np.array([*truth[:4], truth[4] - truth[3], norm.cdf(SHIFT * 2**0.5)])
    values, lows, highs = (np.full((DRAWS, 6), np.nan) for _ in range(3))
    for draw in range(DRAWS):
        train, test = two_classes(N_TRAIN, generator), two_classes(N_TEST, generator)
        curve = measure_learning_curve(
            *train, test[0], test_targets=test[1], generator=generator, max_halvings=3, n_partitions=4
        )
        resampling = draw_resampling(curve, n_draws=300, generator=generator)
        beyond = extrapolate(curve, resampling)
        for column, estimate in enumerate((*curve.estimates, beyond.gain_from_doubling, beyond.asymptote)):
            if estimate.ok:
                values[draw, column] = estimate.value
                lows[draw, column], highs[draw, column] = estimate.interval
    made = ~np.isnan(values)
    covered = ((lows <= truth) & (truth <= highs) & made).sum(axis=0) / made.sum(axis=0)
    width = np.nanmean(highs - lows, axis=0) / (2 * 1.96 * np.nanstd(values, axis=0))
    print("made", made.mean(axis=0).round(3), "coverage", covered.round(3), "width / oracle", width.round(2))
    assert made[:, :5].all() and made[:, 5].mean() > 0.75  # the asymptote abstains where it could be anything
    assert covered.min() >= 0.93, covered
    assert width.max() <= 1.6, width
