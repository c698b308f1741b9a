"""All scores of one model, each with the interval that subsampling gives it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Num

from carryover._core.checks import check_features, check_labels, check_range
from carryover._core.errors import InputError
from carryover._core.results import Estimate, Result
from carryover.measures.catalogue import CATALOGUE, TASKS, Task, why_not
from carryover.measures.evaluation import Sample, Setting, evaluate
from carryover.measures.leep import check_probabilities
from carryover.measures.nleep import default_components
from carryover.numerics.montecarlo import half_subsamples, jackknife_estimate

INTERVAL_ROWS = 8_000
"""Beyond this many examples the spread is measured on a subsample of them and scaled as 1/sqrt(n)."""


def score_all(
    features: Num[np.ndarray, "n d"],
    targets: np.ndarray,
    *,
    task: str,
    source_probabilities: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    n_draws: int = 50,
    generator: np.random.Generator,
    max_rows: int = 50_000,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Estimate]:
    """Every score of :data:`CATALOGUE`: its value on the sample, and a 95 % interval by subsampling.

    ``targets`` are class codes 0..K-1, every class present (classification), or numbers (regression);
    ``source_probabilities`` (n, Z) the source head's, where there is one.  All scores share the subsamples of
    :func:`half_subsamples`: half, 3/4 or 9/10 of each class and at most 12 to 50 of them, as the catalogue says
    of each score; with ``groups`` whole groups are drawn.  The estimand is the score's mean over samples of
    this size with these class counts.  Beyond ``max_rows`` examples the scores that cannot merge are computed
    on a stratified subsample; beyond 8,000 the spread is measured on a subsample of that size and scaled as
    1/sqrt(n); an estimate's ``reason`` says either.  What cannot be computed keeps its status and reason.
    ``progress`` is called with (evaluations done, evaluations in all).  Raises InputError for inputs that do
    not fit.
    """
    sample, n_classes = _checked(
        Sample(check_features(features), targets, source_probabilities, groups), task
    )
    check_range("max_rows", max_rows, 2, math.inf)
    n = len(sample.features)
    cap_draws, base_draws, value_draws, subsample_draws = generator.spawn(4)
    capped = _at_most(sample, max_rows, task, cap_draws)
    base = _at_most(sample, INTERVAL_ROWS, task, base_draws)
    reasons = {
        name: why_not(name, task=task, has_source=source_probabilities is not None) for name in CATALOGUE
    }
    names = [name for name in CATALOGUE if reasons[name] is None]
    n_capped = len(capped.features)
    setting = Setting(task, n_classes, n_capped, default_components(n_capped, n_classes))
    values = evaluate(capped, names, setting, generator=value_draws)
    if n_capped < n:
        whole = [name for name in names if CATALOGUE[name].merges]
        values |= evaluate(sample, whole, setting, generator=value_draws)
    computed = [name for name in names if values[name].ok]
    spreads = _subsample_values(
        base, computed, setting, n_draws=n_draws, generator=subsample_draws, progress=progress
    )
    estimates = {}
    for name in CATALOGUE:
        if reasons[name] is not None:
            estimates[name] = Estimate.missing("not_applicable", reasons[name])
        elif not values[name].ok:
            estimates[name] = Estimate.missing(values[name].status, values[name].reason)
        else:
            n_value = n if CATALOGUE[name].merges else n_capped
            estimates[name] = _estimate(
                name, float(values[name].value), spreads[name], sizes=(len(base.features), n_value, n)
            )
    return estimates


@dataclass(frozen=True)
class Spread:
    """A score's values on subsamples: ``size`` of ``n`` units (examples or groups) on average."""

    values: tuple[float, ...]
    failed: int
    why: str | None
    size: float
    n: int


def _subsample_values(
    base: Sample,
    names: Sequence[str],
    setting: Setting,
    *,
    n_draws: int,
    generator: np.random.Generator,
    progress: Callable[[int, int], None] | None,
) -> dict[str, Spread]:
    most: dict[float, int] = {}
    for name in names:
        share, limit = CATALOGUE[name].kept, min(n_draws, CATALOGUE[name].max_draws)
        most[share] = max(most.get(share, 0), limit)
    spreads, done, total = {}, 0, sum(most.values())
    for (share, limit), draws in zip(sorted(most.items()), generator.spawn(len(most)), strict=True):
        subsamples = half_subsamples(
            base.targets if setting.task == "classification" else None,
            groups=base.groups,
            n_examples=len(base.features),
            n_draws=limit,
            fraction=share,
            generator=draws,
        )
        here = [name for name in names if CATALOGUE[name].kept == share]
        results: dict[str, list[Result]] = {name: [] for name in here}
        for index, (rows, draw) in enumerate(zip(subsamples, draws.spawn(limit), strict=True)):
            wanted = [name for name in here if index < CATALOGUE[name].max_draws]
            for name, result in evaluate(base.take(rows), wanted, setting, generator=draw).items():
                results[name].append(result)
            done += 1
            if progress is not None:
                progress(done, total)
        size, n = _units(base, subsamples)
        spreads |= {name: _spread(results[name], size, n) for name in here}
    return spreads


def _spread(results: Sequence[Result], size: float, n: int) -> Spread:
    failures = [result.reason for result in results if not result.ok]
    values = tuple(float(result.value) for result in results if result.ok)
    return Spread(values, len(failures), failures[0] if failures else None, size, n)


def _units(base: Sample, subsamples: Sequence[np.ndarray]) -> tuple[float, int]:
    """The subsamples' mean size and the whole's, in examples or in groups."""
    if base.groups is None:
        return float(np.mean([len(rows) for rows in subsamples])), len(base.features)
    drawn = [len(np.unique(base.groups[rows])) for rows in subsamples]
    return float(np.mean(drawn)), len(np.unique(base.groups))


def _estimate(name: str, value: float, spread: Spread, *, sizes: tuple[int, int, int]) -> Estimate:
    """The estimate with notes; ``sizes`` are the examples of the spread, of the value, and in all."""
    n_spread, n_value, n = sizes
    notes = []
    if n_value < n:
        notes.append(f"value on a stratified subsample of {n_value:,} of {n:,} examples")
    if spread.failed:
        notes.append(f"{spread.failed} subsamples gave no value ({spread.why})")
    score = CATALOGUE[name]
    centre, values = score.to_interval_scale(value), [score.to_interval_scale(v) for v in spread.values]
    estimate = jackknife_estimate(centre, values, n=spread.n, subsample_size=spread.size)
    if estimate.reason:
        notes.append(estimate.reason)
    std_error = interval = None
    if estimate.interval is not None:
        shrink = math.sqrt(n_spread / n_value) if n_spread < n_value else 1.0
        if shrink < 1:
            notes.append(f"interval from subsamples of {n_spread:,} examples, scaled by 1/sqrt(n)")
        low, high = (score.from_interval_scale(centre + shrink * (end - centre)) for end in estimate.interval)
        interval = score.clip((low, high))
        std_error = shrink * estimate.std_error * (abs(value) if score.log_scale else 1.0)
    return replace(
        estimate, value=value, std_error=std_error, interval=interval, reason="; ".join(notes) or None
    )


def _checked(sample: Sample, task: str) -> tuple[Sample, int]:
    """The sample with targets and probabilities checked, and the number of classes (1 for regression)."""
    if task not in TASKS:
        raise InputError(f"task must be one of {', '.join(TASKS)}, got {task!r}")
    n = len(sample.features)
    if sample.groups is not None and len(sample.groups) != n:
        raise InputError(f"groups must be a vector of length {n}, got length {len(sample.groups)}")
    if task == "regression":
        targets = np.asarray(sample.targets, dtype=np.float64)
        if targets.shape != (n,) or not np.isfinite(targets).all():
            raise InputError(f"targets must be {n} finite numbers, got shape {targets.shape}")
        return replace(sample, targets=targets), 1
    labels = check_labels(sample.targets, n, "targets")
    counts = np.bincount(labels)
    if len(counts) < 2 or (counts == 0).any():
        empty = np.flatnonzero(counts == 0)
        wrong = f"class {int(empty[0])} has no example" if len(empty) else "there is one class only"
        raise InputError(f"targets must be class codes 0..K-1 with K >= 2, every class present: {wrong}")
    source = sample.source_probabilities
    if source is not None:
        source = check_probabilities(source)
        if len(source) != n:
            raise InputError(f"source_probabilities must have {n} rows, got {len(source)}")
    return replace(sample, targets=labels, source_probabilities=source), len(counts)


def _at_most(sample: Sample, n_rows: int, task: Task, generator: np.random.Generator) -> Sample:
    """The sample, or a stratified subsample of about ``n_rows`` of its examples."""
    n = len(sample.features)
    if n <= n_rows:
        return sample
    labels = sample.targets if task == "classification" else None
    (rows,) = half_subsamples(
        labels, groups=sample.groups, n_examples=n, n_draws=1, fraction=n_rows / n, generator=generator
    )
    return sample.take(rows)
