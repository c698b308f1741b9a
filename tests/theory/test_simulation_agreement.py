"""Replica predictions against simulated tasks: twelve of the sixty settings that ``make validate`` runs."""

from functools import cache
from statistics import median

import pytest
from theory_settings import TWELVE, Comparison, Setting

from carryover.theory import simulate

pytestmark = pytest.mark.slow


@cache
def compared(setting: Setting, *, dimension: int, seeds: int) -> Comparison:
    found = simulate(setting.model, setting.alpha, dimension=dimension, seeds=seeds, seed=1)
    assert found.reason is None
    return Comparison.of(setting, found)


@pytest.mark.parametrize("setting", TWELVE, ids=lambda setting: setting.name)
def test_prediction_agrees_with_simulation(setting: Setting) -> None:
    one = compared(setting, dimension=2000, seeds=16)
    assert one.agrees, (one.predicted, one.mean, one.std_error, one.log_gap)


def test_one_task_comes_nearer_to_the_prediction_like_the_root_of_its_dimension() -> None:
    few = [setting for setting in TWELVE if setting.alpha <= 0.25]
    narrow, wide = ([compared(one, dimension=d, seeds=32) for one in few] for d in (250, 1000))
    ratios = [after.task_gap / before.task_gap for before, after in zip(narrow, wide, strict=True)]
    assert 0.35 < median(ratios) < 0.7
