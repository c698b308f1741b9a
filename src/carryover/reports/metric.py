"""What the accuracy-like numbers of a record mean: accuracy for classes, R2 for a regression target."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from carryover.reports import numbers


@dataclass(frozen=True)
class Metric:
    """The number models are ranked by: its key in the probe, its name, and how it is written."""

    key: str
    name: str
    is_percent: bool

    def value(self, estimate: Mapping[str, Any]) -> str:
        """The value as text."""
        return numbers.percent(estimate["value"]) if self.is_percent else numbers.plain_value(estimate)

    def interval(self, estimate: Mapping[str, Any]) -> str:
        """The interval as text; empty where there is none."""
        return numbers.percent_interval(estimate) if self.is_percent else numbers.plain_interval(estimate)

    def number(self, value: float) -> str:
        """A bare number on this scale as text."""
        return numbers.percent(value) if self.is_percent else numbers.significant(value)

    def difference(self, value: float) -> str:
        """A difference of two such numbers as text, with its sign."""
        if self.is_percent:
            return numbers.points(value)
        return f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")

    def difference_interval(self, estimate: Mapping[str, Any]) -> str:
        """The interval of a difference as text; the unit stands once."""
        low, high = (self.difference(end) for end in estimate["interval"])
        return f"{low.removesuffix(' points')} to {high}"


ACCURACY = Metric(key="accuracy", name="accuracy", is_percent=True)
R2 = Metric(key="r2", name="R²", is_percent=False)


def metric_of(record: Mapping[str, Any]) -> Metric:
    """The metric of a record's task."""
    return R2 if record["data"]["target"]["task"] == "regression" else ACCURACY


def largest_class_share(record: Mapping[str, Any]) -> float | None:
    """Accuracy of always naming the largest training class, on the test split; 0 (the mean's R2) in regression."""
    target = record["data"]["target"]
    if target["task"] == "regression":
        return 0.0
    classes = target["classes"]
    tested = sum(one["n_test"] for one in classes or ())
    if not tested:
        return None
    return max(classes, key=lambda one: one["n_train"])["n_test"] / tested
