"""The rule that an encoder counts where it beats its own random start."""

import numpy as np

from carryover._core.results import Estimate
from carryover.experiments.entries.random_start import at_random_start, beats_random_start
from carryover.experiments.summaries import mean_over_runs

STRONG, WEAK = Estimate(0.1, interval=(0.05, 0.15)), Estimate(0.02, interval=(0.0, 0.05))
FAILED = mean_over_runs(np.array([np.nan, 1.0]))


def test_an_encoder_beats_its_random_start_where_the_whole_interval_is_above_0():
    assert [beats_random_start(one) for one in (STRONG, WEAK, FAILED)] == [True, False, False]
    assert beats_random_start(mean_over_runs(np.array([0.10, 0.12, 0.11])))
    assert not beats_random_start(mean_over_runs(np.array([0.1, 0.2, -0.3])))


def test_weak_encoders_are_named_with_their_interval():
    assert at_random_start({"a": STRONG}) == ""
    assert at_random_start({"a": STRONG, "b": FAILED, "c": WEAK}) == (
        "b does not beat its own random start (a run failed); "
        "c does not beat its own random start (0.02, 0 to 0.05)"
    )
