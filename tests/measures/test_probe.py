"""Intervals on the test split: known answers, error messages, and Monte-Carlo coverage (slow)."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import binom, binomtest
from sklearn.metrics import balanced_accuracy_score, r2_score

from carryover._core.errors import InputError
from carryover._core.results import Estimate
from carryover.measures.probe import (
    accuracy_estimate,
    balanced_accuracy_estimate,
    mean_loss_estimate,
    r2_estimate,
)

DRAWS = 500


def test_accuracy_is_clopper_pearson():
    for hits, n in [(0, 7), (7, 7), (31, 40), (1, 1000)]:
        ours = accuracy_estimate(np.arange(n) < hits)
        theirs = binomtest(hits, n).proportion_ci(method="exact")
        np.testing.assert_allclose(ours.interval, theirs, atol=1e-12)
        assert ours.n_samples == n


def test_duplicated_rows_in_groups_do_not_narrow_the_interval():
    generator = np.random.default_rng(0)
    hits = generator.random(60) < 0.7
    repeated, groups = np.repeat(hits, 10), np.repeat(np.arange(60), 10)
    single, grouped = accuracy_estimate(hits), accuracy_estimate(repeated, groups=groups)
    width = np.diff(grouped.interval) / np.diff(single.interval)
    assert 0.98 < width < 1.08
    labels = generator.integers(0, 3, 60)
    width = np.diff(
        balanced_accuracy_estimate(repeated, np.repeat(labels, 10), groups=groups).interval
    ) / np.diff(balanced_accuracy_estimate(hits, labels).interval)
    assert 0.9 < width < 1.15


def test_values_are_those_of_scikit_learn():
    generator = np.random.default_rng(1)
    labels, predicted = generator.integers(0, 4, 200), generator.integers(0, 4, 200)
    ours = balanced_accuracy_estimate(labels == predicted, labels).value
    assert ours == pytest.approx(balanced_accuracy_score(labels, predicted), abs=1e-12)
    targets = generator.normal(size=50)
    guesses = targets + generator.normal(size=50)
    assert r2_estimate(targets, guesses).value == pytest.approx(r2_score(targets, guesses), abs=1e-12)


def test_symmetric_losses_give_the_t_interval():
    losses = np.array([-3.0, -1.0, 0.0, 1.0, 3.0])
    low, high = mean_loss_estimate(losses).interval
    assert high == pytest.approx(2.776445105 * losses.std(ddof=1) / np.sqrt(5), rel=1e-9)
    assert low == pytest.approx(-high)


def test_skewed_losses_reach_further_up():
    losses = np.exp(np.random.default_rng(2).normal(size=100))
    estimate = mean_loss_estimate(losses)
    low, high = estimate.interval
    assert high - estimate.value > 1.2 * (estimate.value - low)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: accuracy_estimate([0.5, 1.0]), "correct must hold 0 and 1 only, got 0.5"),
        (lambda: accuracy_estimate([]), "correct must be a vector with at least one"),
        (lambda: accuracy_estimate([1, 0], groups=[1]), "groups must name one group for each of the 2"),
        (lambda: accuracy_estimate([1, 0], confidence=1.0), "confidence must lie in"),
        (lambda: mean_loss_estimate([np.nan, 1.0]), "losses has 1 values that are NaN"),
        (lambda: r2_estimate([1.0, 2.0], [1.0]), "predictions must have one value for each of the 2"),
    ],
)
def test_misuse_is_named(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: accuracy_estimate([1, 0], groups=["a", "a"]), "at least 2 test groups"),
        (lambda: balanced_accuracy_estimate([1, 0], [0, 1], groups=["a", "a"]), "at least 2 test groups"),
        (lambda: mean_loss_estimate([1.0]), "at least 2 test examples"),
        (lambda: r2_estimate([2.0, 2.0], [1.0, 3.0]), "all test targets are equal"),
    ],
)
def test_failure_is_a_value(make, reason):
    estimate = make()
    assert estimate.status == "failed"
    assert reason in estimate.reason


def _check_coverage(draw: Callable[[np.random.Generator], Estimate], truth: float) -> None:
    estimates = [draw(np.random.default_rng(seed)) for seed in range(DRAWS)]
    intervals = np.array([estimate.interval for estimate in estimates])
    covered = np.mean((intervals[:, 0] <= truth) & (truth <= intervals[:, 1]))
    oracle = 2 * 1.96 * np.std([estimate.value for estimate in estimates])
    ratio = np.mean(intervals[:, 1] - intervals[:, 0]) / oracle
    assert covered >= 0.93, f"coverage {covered}, width {ratio} of the oracle's"
    assert ratio <= 1.6, f"coverage {covered}, width {ratio} of the oracle's"


def _grouped_hits(generator: np.random.Generator, share: float) -> tuple[np.ndarray, np.ndarray]:
    """40 groups of 5: each group's probability of success is Beta with mean ``share``."""
    probability = generator.beta(4 * share, 4 * (1 - share), 40)
    return generator.random(200) < np.repeat(probability, 5), np.repeat(np.arange(40), 5)


@pytest.mark.parametrize("n", [20, 100])
def test_exact_coverage_of_accuracy_at_every_share(n):
    hits, shares = np.arange(n + 1), np.linspace(0.001, 0.999, 999)
    intervals = np.array([accuracy_estimate(np.arange(n) < hit).interval for hit in hits])
    inside = (intervals[:, :1] <= shares) & (shares <= intervals[:, 1:])
    assert (binom.pmf(hits[:, None], n, shares) * inside).sum(axis=0).min() >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.6, 0.9])
def test_coverage_of_accuracy(share):
    _check_coverage(lambda g: accuracy_estimate(g.random(100) < share), share)

    def grouped(g):
        hits, groups = _grouped_hits(g, share)
        return accuracy_estimate(hits, groups=groups)

    _check_coverage(grouped, share)


@pytest.mark.slow
def test_coverage_of_balanced_accuracy():
    shares, counts = np.array([0.95, 0.7, 0.5, 0.9]), [50, 30, 12, 8]
    labels = np.repeat(np.arange(4), counts)

    def draw(g):
        return balanced_accuracy_estimate(g.random(100) < shares[labels], labels)

    _check_coverage(draw, float(shares.mean()))

    def grouped(g):
        hits, groups = _grouped_hits(g, 0.7)
        return balanced_accuracy_estimate(hits, np.arange(200) // 5 % 3, groups=groups)

    _check_coverage(grouped, 0.7)


def _log_losses(generator: np.random.Generator, n: int) -> np.ndarray:
    """Log loss of the true probabilities of a binary task with a well separated majority."""
    probability = expit(generator.normal(1.0, 2.0, n))
    return -np.log(np.where(generator.random(n) < probability, probability, 1 - probability))


@pytest.mark.slow
def test_coverage_of_mean_losses():
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    logits = 1.0 + 2.0 * nodes
    probability = expit(logits)
    entropy = -(probability * np.log(probability) + expit(-logits) * np.log(expit(-logits)))
    _check_coverage(
        lambda g: mean_loss_estimate(_log_losses(g, 100)), float(weights @ entropy / weights.sum())
    )
    _check_coverage(lambda g: mean_loss_estimate(g.normal(size=100) ** 2), 1.0)

    def grouped(g):
        losses = np.repeat(g.exponential(size=60), 4) * g.exponential(size=240)
        return mean_loss_estimate(losses, groups=np.repeat(np.arange(60), 4))

    _check_coverage(grouped, 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("noise_std", [0.3, 1.0, 3.0])
def test_coverage_of_r2(noise_std):
    def draw(g):
        signal = g.normal(size=100)
        return r2_estimate(signal + noise_std * g.normal(size=100), signal)

    _check_coverage(draw, 1 - noise_std**2 / (1 + noise_std**2))
