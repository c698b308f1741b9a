"""Pairs and masks: information against a direct sum, its bias, its unbiased parts, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carryover._core.errors import InputError
from carryover.bounds.supersample import (
    check_errors,
    check_masks,
    mask_assumptions,
    mask_information,
    masks_needed,
    outcome_ranks,
    side_means,
)


def _masks(m, n, seed=0):
    return np.random.default_rng(seed).integers(0, 2, (m, n))


def _direct_information(outcomes, mask):
    """Sum over the joint law in which each mask has probability 1/2."""
    total = 0.0
    for value in set(outcomes.tolist()):
        joint = [float((outcomes[mask == side] == value).mean()) / 2 for side in (0, 1)]
        total += sum(p * math.log(p / (sum(joint) / 2)) for p in joint if p)
    return total


def _common_information(outcomes, mask):
    """The usual plug-in: frequencies for the mask's law too."""
    total = 0.0
    for value in set(outcomes.tolist()):
        for side in (0, 1):
            joint = float(((outcomes == value) & (mask == side)).mean())
            if joint:
                total += joint * math.log(joint / float((outcomes == value).mean() * (mask == side).mean()))
    return total


@given(st.integers(2, 12), st.integers(1, 6), st.integers(0, 1000))
def test_information_is_the_sum_over_the_joint_law(m, n_values, seed):
    generator = np.random.default_rng(seed)
    mask = generator.permutation(np.arange(m) % 2)
    outcomes = generator.integers(-5, -5 + n_values, (m, 3))
    got = mask_information(outcome_ranks(outcomes), np.tile(mask[:, None], 3))
    wanted = [_direct_information(outcomes[:, i], mask) for i in range(3)]
    np.testing.assert_allclose(got, wanted, atol=1e-12)
    assert (got <= math.log(2) + 1e-12).all()


def test_in_expectation_the_plug_in_is_not_below_the_information():
    """Six runs, a channel with known information, all outcomes of the runs summed exactly."""
    mask = np.array([0, 0, 1, 1, 1, 1])
    law = np.array([0.2, 0.9])  # P(outcome 1 | mask)
    mixed = law.mean()
    entropy = lambda p: -p * math.log(p) - (1 - p) * math.log(1 - p)  # noqa: E731
    information = entropy(mixed) - (entropy(law[0]) + entropy(law[1])) / 2
    outcomes = (np.arange(64)[None, :] >> np.arange(6)[:, None]) & 1
    chances = np.where(outcomes == 1, law[mask][:, None], 1 - law[mask][:, None]).prod(axis=0)
    plug_in = mask_information(outcome_ranks(outcomes), np.tile(mask[:, None], 64))
    assert chances.sum() == pytest.approx(1)
    assert information < chances @ plug_in < information + 0.15


@pytest.mark.parametrize(("n_values", "published"), [(3, 0.24), (100, 1.08)])
def test_published_bias_at_thirty_masks(n_values, published):
    """Independent outcomes: the usual plug-in gives the published values, ours little more."""
    masks = _masks(30, 2000)
    outcomes = np.random.default_rng(1).integers(0, n_values, masks.shape)
    usual = np.mean([math.sqrt(2 * _common_information(outcomes[:, i], masks[:, i])) for i in range(300)])
    ours = np.sqrt(2 * mask_information(outcome_ranks(outcomes), masks)).mean()
    assert usual == pytest.approx(published, abs=0.012)
    assert ours == pytest.approx(published, abs=0.02)


def test_published_bias_of_skewed_cells():
    """Ten classes, nine of ten predictions the same."""
    generator, masks = np.random.default_rng(2), _masks(30, 2000)
    predictions = np.where(generator.random((30, 2000, 2)) < 0.9, 0, generator.integers(1, 10, (30, 2000, 2)))
    ranks = outcome_ranks(10 * predictions[:, :, 0] + predictions[:, :, 1])
    assert np.sqrt(2 * mask_information(ranks, masks)).mean() == pytest.approx(0.47, abs=0.02)


def test_side_means_weigh_both_masks_alike():
    masks = np.array([[0], [1], [1], [1]])
    losses = np.array([[[1, 0]], [[0, 0]], [[1, 0]], [[1, 1]]])
    trained, other = side_means(losses, masks)
    assert trained == pytest.approx((1 + 1 / 3) / 2)
    assert other == pytest.approx((0 + 2 / 3) / 2)


def test_renaming_outcomes_changes_nothing():
    masks, generator = _masks(20, 50), np.random.default_rng(3)
    outcomes = generator.integers(0, 4, masks.shape)
    renamed = np.array([70, -3, 12, 5])[outcomes]
    np.testing.assert_allclose(
        mask_information(outcome_ranks(outcomes), masks), mask_information(outcome_ranks(renamed), masks)
    )


def test_masks_needed_leave_no_pair_on_one_side_nineteen_times_in_twenty():
    for n in (1, 10, 100):
        m = masks_needed(n)
        assert 1 - (1 - 2.0 ** (1 - m)) ** n <= 0.05 < n * 2.0 ** (2 - m)


def test_unfair_masks_violate():
    unfair = (np.random.default_rng(4).random((40, 100)) < 0.7).astype(int)
    assert [a.state for a in mask_assumptions(unfair)] == ["violated", "not_checkable"]
    assert [a.state for a in mask_assumptions(_masks(40, 100))] == ["not_checkable", "not_checkable"]


def test_misuse_is_named():
    with pytest.raises(InputError, match="11 masks are too few for 100 pairs: at least 12 are needed"):
        check_masks(_masks(11, 100))
    same = _masks(12, 100)
    same[:, 7] = 1
    with pytest.raises(
        InputError, match=r"1 pairs, the first of them 7, have the same mask in all 12 runs: train"
    ):
        check_masks(same)
    with pytest.raises(
        InputError, match=r"masks must be a matrix \(runs, pairs\) of 0 and 1, got shape \(30, 4\)"
    ):
        check_masks(2 * _masks(30, 4))
    with pytest.raises(InputError, match="n_pairs must be at least 1, got 0"):
        masks_needed(0)
    losses = np.zeros((30, 4, 2))
    losses[3, 2, 1] = 1.5
    with pytest.raises(InputError, match=r"losses must be 0 or 1, got 1.5 in run 3, pair 2, member 1"):
        check_errors(losses, _masks(30, 4))
    with pytest.raises(
        InputError, match=r"losses must have shape \(runs, pairs, 2\) = \(30, 4, 2\), got \(30, 4\)"
    ):
        check_errors(np.zeros((30, 4)), _masks(30, 4))
