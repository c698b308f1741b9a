"""A mean over runs has the interval that scipy gives."""

import numpy as np
import pytest
from scipy.stats import bootstrap, ttest_1samp

from carryover.experiments.summaries import mean_over_runs


def test_the_interval_is_that_of_the_t_test():
    values = np.random.default_rng(0).normal(size=7)
    expected = ttest_1samp(values, 0.0).confidence_interval(0.9)
    found = mean_over_runs(values, confidence=0.9)
    assert found.value == pytest.approx(values.mean(), rel=1e-14)
    assert found.interval == pytest.approx(tuple(expected), rel=1e-12)
    spread = bootstrap((values,), np.mean, rng=np.random.default_rng(1)).standard_error
    assert found.std_error == pytest.approx(spread, rel=0.2)


@pytest.mark.parametrize(("values", "reason"), [([1.0], "at least 2 runs"), ([1.0, float("nan")], "failed")])
def test_without_enough_runs_there_is_a_reason(values, reason):
    found = mean_over_runs(np.array(values))
    assert not found.ok and reason in found.reason
