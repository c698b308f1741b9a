"""Every bound on repeated draws from laws whose true risks are finite sums or closed forms.

The laws and the draws are those of the tests (tests/support); here none has fewer than 1,000.
"""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from bound_cases import Case, high_probability_cases
from cells import Cells
from expectation_cases import expectation_cases
from finite_laws import permitted
from harness import environment
from joblib import Parallel, delayed

from carryover._core.seeding import derive_generator

AT_ONCE = 50


def _some(draw: Callable[[np.random.Generator], Any], generators: list[np.random.Generator]):
    """Bounds, truths, and seconds of this process's own."""
    start = time.process_time()
    pairs = [(bound.value, true) for bound, true in map(draw, generators)]
    return pairs, time.process_time() - start


def results(case: Case, jobs: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Bounds, truths and processor seconds of all draws; their seeds depend on the case's key alone."""
    generators = derive_generator(0, "draws of a bound", case.key).spawn(case.draws)
    chunks = [generators[at : at + AT_ONCE] for at in range(0, case.draws, AT_ONCE)]
    found = Parallel(n_jobs=jobs)(delayed(_some)(case.draw, chunk) for chunk in chunks)
    values, truths = np.array([pair for pairs, _ in found for pair in pairs], dtype=np.float64).T
    return values, truths, sum(spent for _, spent in found)


def with_violations(case: Case, jobs: int) -> dict[str, Any]:
    """How often a bound at confidence .95 was below the truth, and how far above it usually is."""
    values, truths, spent = results(case, jobs)
    ratios = values / np.where(truths > 0, truths, math.nan)
    return {
        "violations": int((values < truths).sum()),
        "permitted": int(permitted(case.draws)),
        "median_bound": float(np.median(values)),
        "median_ratio": float(np.nanmedian(ratios)),
        "seconds": spent,
        "environment": environment(),
    }


def with_excess(case: Case, jobs: int) -> dict[str, Any]:
    """Mean of bound less truth, and its standard error."""
    values, truths, spent = results(case, jobs)
    return {
        "mean_bound": float(values.mean()),
        "mean_truth": float(truths.mean()),
        "excess": float((values - truths).mean()),
        "std_error": float((values - truths).std(ddof=1) / math.sqrt(case.draws)),
        "seconds": spent,
        "environment": environment(),
    }


def draws(folder: Path, jobs: int) -> None:
    """Print both tables, and where the results were made."""
    high = {case.key: case for case in high_probability_cases()}
    mean = {case.key: case for case in expectation_cases()}
    cells = Cells(folder)
    of_high = cells.run(high, lambda key: with_violations(high[key], jobs))
    of_mean = cells.run(mean, lambda key: with_excess(mean[key], jobs))
    print(
        "\n| bound | law | n | draws | violations | permitted | median bound | median bound / truth | seconds |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for key, one in of_high.items():
        print(
            f"| {high[key].words} | {high[key].draws:,} | {one['violations']} | {one['permitted']} "
            f"| {one['median_bound']:.3f} | {one['median_ratio']:.2f} | {one['seconds']:.1f} |"
        )
    print("\n| bound | law | n | draws | mean bound | mean truth | bound - truth | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    for key, one in of_mean.items():
        print(
            f"| {mean[key].words} | {mean[key].draws:,} | {one['mean_bound']:.4f} | {one['mean_truth']:.4f} "
            f"| {one['excess']:+.4f} +- {one['std_error']:.4f} | {one['seconds']:.1f} |"
        )
    everywhere = sorted({one["environment"] for one in [*of_high.values(), *of_mean.values()]})
    print(f"\nMeasured at {'; '.join(everywhere)}.", flush=True)
