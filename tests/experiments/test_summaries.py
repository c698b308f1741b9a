"""A mean over runs has the interval that scipy gives, and ranks the correlation."""

import numpy as np
import pytest
from scipy.stats import bootstrap, spearmanr, ttest_1samp

from carryover.experiments.summaries import CORRELATION, joint_confidence, mean_over_runs, rank_correlations


def test_the_interval_is_that_of_the_t_test():
    values = np.random.default_rng(0).normal(size=7)
    expected = ttest_1samp(values, 0.0).confidence_interval(0.9)
    found = mean_over_runs(values, confidence=0.9)
    assert found.value == pytest.approx(values.mean(), rel=1e-14)
    assert found.interval == pytest.approx(tuple(expected), rel=1e-12)
    spread = bootstrap((values,), np.mean, rng=np.random.default_rng(1)).standard_error
    assert found.std_error == pytest.approx(spread, rel=0.2)


def test_the_interval_of_a_correlation_ends_at_one():
    values = np.array([0.9, 1.0, 0.7, 1.0])
    whole, cut = mean_over_runs(values), mean_over_runs(values, limits=CORRELATION)
    assert whole.interval[1] > 1.0
    assert cut.interval == (whole.interval[0], 1.0) and cut.value == whole.value


@pytest.mark.parametrize(("values", "reason"), [([1.0], "at least 2 runs"), ([1.0, float("nan")], "failed")])
def test_without_enough_runs_there_is_a_reason(values, reason):
    found = mean_over_runs(np.array(values))
    assert not found.ok and reason in found.reason


def test_joint_intervals_share_the_chance_of_an_error_evenly():
    assert [joint_confidence(count) for count in (1, 2, 5)] == pytest.approx([0.95, 0.975, 0.99])


def test_rank_correlations_are_spearman_s_of_each_seed():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 4, (5, 9)).astype(float), rng.normal(size=(5, 9))
    wanted = [spearmanr(a, b).statistic for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(rank_correlations(first, second), wanted)
    first[0], second[1, 3] = 1.0, np.nan
    assert np.isnan(rank_correlations(first, second)).tolist() == [True, True, False, False, False]
