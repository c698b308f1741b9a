"""Every score of every candidate on every draw of labels, ours and others', and how well each chooses."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from carryover._core.results import Result
from carryover._core.seeding import derive_generator
from carryover.experiments.entries.ranking.metrics import judge
from carryover.experiments.entries.ranking.rivals import RIVALS, ask, score_of, write_problems
from carryover.experiments.entries.ranking.specs import (
    AT_N,
    CHANCE,
    EVERY,
    METRICS,
    WIDTH,
    WITH_SOURCE,
    score_key,
)
from carryover.experiments.rows import Row
from carryover.measures.catalogue import CATALOGUE
from carryover.measures.evaluation import Sample, Setting, evaluate
from carryover.measures.nleep import default_components

OF_SOURCE = tuple(name for name, score in CATALOGUE.items() if score.needs == "source probabilities")
_BESIDE = ("logme", "ridge_loo")  # ranked among the candidates with a source head, too
Draw = tuple[int, int]
"""A number of labels, and which draw of that many it is."""
Values = Mapping[tuple[str, str], Mapping[Draw, Float[np.ndarray, " m"]]]
"""By hub and score, by draw, the score of each of the hub's candidates; NaN where it has no value."""


@dataclass(frozen=True)
class Pool:
    """What labels are drawn from: by candidate features (n, d) and source probabilities (n, z), class codes (n,)."""

    features: Mapping[str, Float[np.ndarray, "n d"]]
    source: Mapping[str, Float[np.ndarray, "n z"]]
    labels: Int[np.ndarray, " n"]

    @property
    def n_classes(self) -> int:
        return int(self.labels.max()) + 1

    def members(self, hub: str) -> list[str]:
        """The names of a hub's candidates."""
        return [name for name in self.features if hub == EVERY or name in self.source]


def our_scores(pool: Pool, draws: Mapping[Draw, np.ndarray], *, seed: int) -> Values:
    """All of ``CATALOGUE``, the width of the features, and a constant."""
    found: dict[tuple[str, str], dict[Draw, np.ndarray]] = defaultdict(dict)
    everyone, with_source = pool.members(EVERY), pool.members(WITH_SOURCE)
    widths = np.array([pool.features[name].shape[1] for name in everyone], dtype=np.float64)
    for draw, rows in draws.items():
        values = {name: _evaluate(pool, name, rows, seed=seed) for name in everyone}
        for score in CATALOGUE:
            if score not in OF_SOURCE:
                found[EVERY, score][draw] = np.array([values[name][score] for name in everyone])
            if score in (*OF_SOURCE, *_BESIDE):
                found[WITH_SOURCE, score][draw] = np.array([values[name][score] for name in with_source])
        found[EVERY, WIDTH][draw] = widths
        found[EVERY, CHANCE][draw] = np.zeros(len(everyone))
    return found


def _evaluate(pool: Pool, name: str, rows: np.ndarray, *, seed: int) -> dict[str, float]:
    """The scores of one candidate from the rows that are labelled."""
    n, source = len(rows), pool.source.get(name)
    features = pool.features[name][rows].astype(np.float64)
    sample = Sample(features, pool.labels[rows], None if source is None else source[rows])
    setting = Setting("classification", pool.n_classes, n, default_components(n, pool.n_classes))
    names = [score for score in CATALOGUE if source is not None or score not in OF_SOURCE]
    results = evaluate(sample, names, setting, generator=derive_generator(seed, "mixtures", name, n))
    return {score: float(result.value) if result.ok else np.nan for score, result in results.items()}


def their_scores(rival: str, pool: Pool, draws: Mapping[Draw, np.ndarray], folder: Path) -> Result:
    """:data:`Values` of another implementation, whose scores are named ``RIVAL.SCORE``; failed where it did not
    answer.
    """
    problems = folder / f"{rival}.npz"
    named = {draw: f"{draw[0]}-{draw[1]}" for draw in draws}
    try:
        write_problems(
            problems,
            labels=pool.labels,
            features=pool.features,
            source=pool.source,
            draws={named[draw]: rows for draw, rows in draws.items()},
        )
        answers = ask(rival, problems)
        if not answers.ok:
            return answers
        found: dict[tuple[str, str], dict[Draw, np.ndarray]] = defaultdict(dict)
        for score in RIVALS[rival]:
            hub = WITH_SOURCE if score in OF_SOURCE else EVERY
            for draw in draws:
                values = score_of(answers.value, score, named[draw], pool.members(hub))
                found[hub, f"{rival}.{score}"][draw] = values
        return Result(found)
    finally:
        problems.unlink(missing_ok=True)


def judged_columns(
    found: Values, pool: Pool, *, truth: Mapping[str, float], at_n: Mapping[Draw, Mapping[str, float]]
) -> Row:
    """How well each score finds the best candidate, means over the draws of each number of labels.

    ``truth``: accuracy with all labels; ``at_n``: with the labels of the draw.  Also the standard error of tau
    over draws (None for one), the mean number of candidates without a value, and the number of draws.
    """
    row: Row = {}
    for (hub, score), by_draw in found.items():
        names = pool.members(hub)
        if len(names) < 2:
            continue
        for labels in dict.fromkeys(n for n, _ in by_draw):
            own = {draw: values for draw, values in by_draw.items() if draw[0] == labels}
            columns = _columns(
                own, _of(truth, names), {draw: _of(accuracies, names) for draw, accuracies in at_n.items()}
            )
            row |= {score_key(hub, score, labels, key): value for key, value in columns.items()}
    return row


def _of(accuracies: Mapping[str, float], names: list[str]) -> np.ndarray:
    return np.array([accuracies[name] for name in names])


def _columns(
    own: Mapping[Draw, np.ndarray], truth: np.ndarray, at_n: Mapping[Draw, np.ndarray]
) -> dict[str, float | int | None]:
    with_all = [judge(values, truth) for values in own.values()]
    with_few = [judge(values, at_n[draw]) for draw, values in own.items()]
    columns: dict[str, float | int | None] = {}
    for ending, judged in (("", with_all), (AT_N, with_few)):
        for metric in METRICS:
            columns[metric + ending] = float(np.mean([getattr(one, metric) for one in judged]))
    taus = [one.tau for one in with_all]
    columns["tau_std_error"] = float(np.std(taus, ddof=1) / np.sqrt(len(taus))) if len(taus) > 1 else None
    columns["missing"] = float(np.mean([one.missing for one in with_all]))
    columns["draws"] = len(own)
    return columns
