"""How every number in the benchmark table is taken: ratios in one run, interleaved, medians of several."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table: what was done, what was measured, and what was asked for."""

    work: str
    measured: float
    unit: str
    target: str
    met: bool | None
    note: str = ""


def seconds(work: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def interleaved(
    first: Callable[[], object], second: Callable[[], object], repeats: int = 7
) -> tuple[float, float, float]:
    """Median seconds of each, and the median of the pairwise ratios first / second, after one warm-up of each."""
    first(), second()
    pairs = [(seconds(first), seconds(second)) for _ in range(repeats)]
    ratio = statistics.median(a / b for a, b in pairs)
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs), ratio
