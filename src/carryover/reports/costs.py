"""What an experiment costs, in words; loads neither pandas nor matplotlib, since the list of experiments says it."""

from carryover.experiments.entry import Cost
from carryover.reports.numbers import duration


def cost_said(cost: Cost) -> str:
    """The cost as the list of experiments says it."""
    return f"{duration(cost.seconds)} on one core{'' if cost.measured else ', estimated'}"
