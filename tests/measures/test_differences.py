"""Differences of mean losses: against plain formulas, against simulation, and what is missing stays missing."""

import numpy as np
import pytest
from scipy.stats import ttest_rel

from carryover._core.errors import InputError
from carryover._core.results import Estimate
from carryover.measures.differences import (
    excess_over_best,
    independent_difference,
    paired_accuracy_difference,
)
from carryover.measures.probe import mean_loss_estimate


def test_the_difference_of_independent_samples_covers_as_often_as_it_says():
    generator, covered, repeats = np.random.default_rng(0), 0, 600
    for _ in range(repeats):
        first, second = generator.exponential(2.0, size=80), generator.exponential(1.0, size=300)
        low, high = independent_difference(mean_loss_estimate(first), mean_loss_estimate(second)).interval
        covered += low <= 1.0 <= high
    assert abs(covered / repeats - 0.95) < 0.03


def test_standard_errors_add_in_quadrature_and_the_sign_turns_with_the_order():
    generator = np.random.default_rng(1)
    first, second = (
        mean_loss_estimate(generator.exponential(size=50)),
        mean_loss_estimate(generator.random(70)),
    )
    found, turned = independent_difference(first, second), independent_difference(second, first)
    assert found.value == pytest.approx(first.value - second.value)
    assert found.std_error**2 == pytest.approx(first.std_error**2 + second.std_error**2)
    assert turned.interval == pytest.approx((-found.interval[1], -found.interval[0]))
    assert found.n_samples == 120


def test_what_is_missing_in_either_is_missing_in_the_difference():
    whole, absent = (
        mean_loss_estimate([1.0, 2.0]),
        Estimate.missing("not_applicable", "no images were held out"),
    )
    for pair in ((whole, absent), (absent, whole)):
        found = independent_difference(*pair)
        assert (found.status, found.reason) == ("not_applicable", "no images were held out")
    with pytest.raises(InputError, match=r"one confidence, got 0\.95 and 0\.9"):
        independent_difference(whole, mean_loss_estimate([1.0, 2.0], confidence=0.9))


def test_two_models_are_compared_by_the_paired_interval():
    generator = np.random.default_rng(2)
    easy = generator.normal(size=400)
    best, other = (
        easy + generator.normal(scale=0.1, size=400),
        easy + 0.05 + generator.normal(scale=0.1, size=400),
    )
    first, second = excess_over_best(np.stack([best, other]))
    student = ttest_rel(other, best).confidence_interval(0.95)
    assert second.value == pytest.approx(np.mean(other - best))
    assert second.interval == pytest.approx((student.low, student.high), abs=2e-4)
    # Unpaired, the spread between examples would hide the difference.
    assert second.interval[0] > 0.0 and second.interval[1] - second.interval[0] < 0.1 * easy.std()
    assert (first.value, first.std_error, first.interval) == (0.0, None, (0.0, 0.0))


def test_a_best_that_is_not_clearly_best_says_how_far_behind_it_may_be():
    generator = np.random.default_rng(3)
    losses = generator.normal(size=(3, 60))
    found = excess_over_best(losses)
    best = int(np.argmin(losses.mean(axis=1)))
    for index, excess in enumerate(found):
        assert excess.value == pytest.approx(losses[index].mean() - losses[best].mean())
        assert excess.interval[0] <= excess.value <= excess.interval[1]
    assert found[best].interval[0] == 0.0 < found[best].interval[1]


def test_a_model_given_twice_changes_no_value_and_costs_nothing_against_itself():
    losses = np.random.default_rng(4).normal(size=(2, 50))
    values = [one.value for one in excess_over_best(losses)]
    tripled = excess_over_best(np.stack([losses[0], losses[1], losses[0]]))
    assert [one.value for one in tripled] == pytest.approx([values[0], values[1], values[0]])
    assert [one.value for one in excess_over_best(np.stack([losses[0], losses[0]]))] == [0.0, 0.0]


def test_the_excess_covers_though_the_best_is_not_known():
    generator, repeats, k = np.random.default_rng(5), 200, 4
    truth = np.array([0.0, 0.0, 0.1, 0.6])  # the best is shared by two, a third is close behind
    covered = np.zeros(k)
    for _ in range(repeats):
        losses = truth[:, None] + generator.normal(size=(k, 60))
        found = excess_over_best(losses)
        covered += [
            one.interval[0] <= excess <= one.interval[1] for one, excess in zip(found, truth, strict=True)
        ]
    assert (covered / repeats >= 0.92).all()


@pytest.mark.parametrize("losses", [np.zeros((1, 5)), np.zeros((3, 1))])
def test_too_few_models_or_examples_are_refused(losses):
    with pytest.raises(InputError, match="two or more of each"):
        excess_over_best(losses)


@pytest.mark.parametrize(("n", "alone", "other"), [(100, 0.1, 0.02), (50, 0.05, 0.05), (300, 0.2, 0.15)])
def test_the_paired_difference_of_accuracies_covers(n, alone, other):
    generator, covered = np.random.default_rng(7), 0
    for _ in range(500):
        draw = generator.random(n)
        first, second = draw < alone, (draw >= alone) & (draw < alone + other)
        both = draw > 0.5
        found = paired_accuracy_difference(first | both, second | both)
        covered += found.interval[0] <= alone - other <= found.interval[1]
    assert covered / 500 >= 0.94


def test_the_paired_difference_is_that_of_the_means_and_never_surer_than_the_examples():
    generator = np.random.default_rng(8)
    first, second = generator.random((2, 80)) < 0.6
    found = paired_accuracy_difference(first, second)
    assert found.value == pytest.approx(first.mean() - second.mean(), abs=1e-12)
    gaps = first.astype(float) - second
    assert found.std_error == pytest.approx(gaps.std() / np.sqrt(80), rel=1e-9)
    same = paired_accuracy_difference(first, first)
    assert same.value == 0.0 and same.interval[1] == pytest.approx(1 - 0.025 ** (1 / 80), rel=0.3)
    with pytest.raises(InputError, match="of one length"):
        paired_accuracy_difference([], [])
