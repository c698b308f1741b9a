"""The rows of a sweep as its page shows them: which columns vary, which are results, what a cell says."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from carryover._core.errors import InputError, did_you_mean
from carryover.experiments.rows import ENDS, OWN
from carryover.experiments.store import Rows
from carryover.reports.figure_sweep import MOST_LINES, Line
from carryover.reports.numbers import plain_interval, plain_value, times_power

MOST_CELLS, MOST_FAILED, MOST_RESULTS = 400, 100, 6


@dataclass(frozen=True)
class SweepView:
    """The rows, sorted by what varies.  ``wanted``: the result that comes first; InputError where none is called so."""

    rows: Rows
    wanted: str | None = None

    def __post_init__(self) -> None:
        if self.wanted is not None and self.wanted not in self.results:
            raise InputError(
                f"no result is called {self.wanted!r}; {did_you_mean(self.wanted, self.results)}"
            )

    @cached_property
    def cells(self) -> list[dict[str, Any]]:
        return sorted(self.rows.table.to_pylist(), key=lambda row: [_key(row[name]) for name in self.varying])

    @cached_property
    def done(self) -> list[dict[str, Any]]:
        return [row for row in self.cells if row["status"] == "ok"]

    @cached_property
    def failed(self) -> list[dict[str, Any]]:
        return [row for row in self.cells if row["status"] != "ok"]

    @cached_property
    def varying(self) -> tuple[str, ...]:
        """Parameters of more than one value."""
        columns = {name: self.rows.table.column(name) for name in self.rows.parameters}
        return tuple(name for name, column in columns.items() if len(column.unique()) > 1)

    @cached_property
    def fixed(self) -> dict[str, str]:
        """Parameters of one value."""
        one = self.rows.table.slice(0, 1).to_pylist()[0]
        return {name: said(one[name]) for name in self.rows.parameters if name not in self.varying}

    @cached_property
    def results(self) -> tuple[str, ...]:
        """Results, estimates without the columns that go with them."""
        names = [name for name in self.rows.table.column_names if name not in (*OWN, *self.rows.parameters)]
        beside = {f"{name}{end}" for name in names if f"{name}_status" in names for end in ENDS}
        return tuple(name for name in names if name not in beside)

    @cached_property
    def result(self) -> str | None:
        """The one that is drawn: the one asked for, else the first with a number that is not whole."""
        if self.wanted is not None:
            return self.wanted
        numbers = [name for name in self.results if any(isinstance(row[name], float) for row in self.done)]
        return numbers[0] if numbers else None

    @cached_property
    def shown(self) -> tuple[str, ...]:
        """Results in the table, the drawn one first."""
        first = () if self.result is None else (self.result,)
        return (*first, *(name for name in self.results if name != self.result))[:MOST_RESULTS]

    @cached_property
    def axes(self) -> tuple[str, ...]:
        """Up to two parameters: the first with numbers, along the axis, and another of few values, line by line."""
        numeric = [name for name in self.varying if _is_numeric(row[name] for row in self.cells)]
        if not numeric:
            return ()
        others = [name for name in self.varying if name != numeric[0]]
        few = [name for name in others if len({row[name] for row in self.cells}) <= MOST_LINES]
        return (numeric[0], *few[:1])

    def lines(self) -> list[Line]:
        """The drawn result against the first axis; empty where there is nothing to draw."""
        if self.result is None or not self.axes:
            return []
        across, *line = self.axes
        groups: dict[Any, list[dict[str, Any]]] = {}
        for row in self.done:
            if _is_number(row[self.result]) and _is_number(row[across]):
                groups.setdefault(row[line[0]] if line else None, []).append(row)
        return [
            self._line(f"{line[0]} {said(value)}" if line else "", sorted(found, key=lambda row: row[across]))
            for value, found in sorted(groups.items(), key=lambda item: _key(item[0]))
        ]

    def _line(self, name: str, rows: Sequence[dict[str, Any]]) -> Line:
        columns = (self.axes[0], self.result, f"{self.result}_low", f"{self.result}_high")
        others = [key for key in self.varying if key not in self.axes]
        paths: dict[Any, int] = {}
        path = [paths.setdefault(tuple(row[key] for key in others), len(paths)) for row in rows]
        numbers = (np.array([_float(row.get(column)) for row in rows]) for column in columns)
        return Line(name, *numbers, path=np.array(path))

    def cell(self, row: dict[str, Any]) -> dict[str, Any]:
        """One line of the table."""
        return {
            "parameters": [said(row[name]) for name in self.varying],
            "results": [_result(row, name) for name in self.shown],
            "reason": row["reason"],
        }


def said(value: Any) -> str:
    """A value in a table: numbers with few digits, text as it is.

    >>> said(1e-06), said(3), said("lora"), said(None)
    ('1 × 10⁻⁶', '3', 'lora', '–')
    """
    if value is None:
        return "–"
    if isinstance(value, float):
        mantissa, _, power = f"{value:g}".partition("e")
        return mantissa.replace("-", "\N{MINUS SIGN}") + times_power(int(power or 0))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _result(row: dict[str, Any], name: str) -> dict[str, Any]:
    value, low, high = row[name], row.get(f"{name}_low"), row.get(f"{name}_high")
    status = row.get(f"{name}_status") or ("ok" if value is not None else "not_applicable")
    estimate = {"value": value, "interval": None if low is None or high is None else [low, high]}
    if status != "ok":
        return {"status": status, "reason": row.get(f"{name}_reason") or ""}
    number = isinstance(value, float)
    return {
        "status": "ok",
        "said": plain_value(estimate) if number else said(value),
        "interval": plain_interval(estimate) if number else "",
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_numeric(values: Any) -> bool:
    return all(_is_number(value) for value in values if value is not None)


def _float(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _key(value: Any) -> tuple[int, float, str]:
    """Sorts numbers before text, and what is missing first."""
    return (
        (1, float(value), "")
        if isinstance(value, int | float)
        else (0 if value is None else 2, 0.0, str(value))
    )
