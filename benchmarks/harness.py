"""How every number in the benchmark table is taken: ratios in one run, interleaved, medians of several."""

import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy


@dataclass(frozen=True)
class Row:
    """One line of the table: what was done, what was measured, and what was asked for."""

    work: str
    measured: float
    unit: str
    target: str
    met: bool | None
    note: str = ""


Clock = Callable[[], float]


def seconds(work: Callable[[], object], clock: Clock = time.perf_counter) -> float:
    """Seconds of one call: wall seconds, or this process's own with ``time.process_time``."""
    start = clock()
    work()
    return clock() - start


def interleaved(
    first: Callable[[], object],
    second: Callable[[], object],
    repeats: int = 7,
    clock: Clock = time.perf_counter,
) -> tuple[float, float, float]:
    """Median seconds of each, and the median of the pairwise ratios first / second, after one warm-up of each.

    ``time.process_time`` leaves out the time others had the processor, for work on one thread without waiting.
    """
    first(), second()
    pairs = [(seconds(first, clock), seconds(second, clock)) for _ in range(repeats)]
    ratio = statistics.median(a / b for a, b in pairs)
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs), ratio


def environment() -> str:
    """What a table was made with."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=Path(__file__).resolve().parent,
        capture_output=True,
        text=True,
    ).stdout.strip()
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, SciPy {scipy.__version__}"
    return f"commit {commit or 'unknown'}, {time.strftime('%Y-%m-%d')}, {versions}, {platform.machine()}"
