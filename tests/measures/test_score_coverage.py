"""Monte-Carlo coverage of the subsampling intervals of all nine scores, and their width beside the oracle's."""

import json
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
import pytest
from scipy.special import softmax
from threadpoolctl import threadpool_limits

from carryover._core.seeding import derive_generator
from carryover.measures.catalogue import CATALOGUE
from carryover.measures.nleep import default_components
from carryover.measures.scoring import Sample, Setting, evaluate, score_all

N_DRAWS = 500
N_ORACLE = 1000


@dataclass(frozen=True)
class Law:
    """Gaussian classes with a decaying spectrum, behind a ReLU or not, and a source head of random weights."""

    name: str
    counts: tuple[int, ...]
    n_features: int
    gap: float
    relu: bool

    @property
    def labels(self):
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def draw(self, rng):
        fixed = derive_generator(5, self.name)
        means = self.gap * fixed.normal(size=(len(self.counts), self.n_features))
        head = 0.7 * fixed.normal(size=(self.n_features, len(self.counts) + 2))
        spread = 2 / np.sqrt(1 + np.arange(self.n_features))
        labels = self.labels
        features = means[labels] + spread * rng.normal(size=(len(labels), self.n_features))
        if self.relu:
            features = np.maximum(features, 0)
        return Sample(features, labels, softmax(features @ head, axis=1))


LAWS = {
    "gaussian": Law("gaussian", (40, 40, 40), 6, 0.8, False),
    "unbalanced relu": Law("unbalanced relu", (80, 50, 30, 25, 15), 20, 0.8, True),
    "n below d": Law("n below d", (30, 30), 100, 0.18, False),
}


def _intervals(task):
    name, indices = task
    law = LAWS[name]
    with threadpool_limits(1):
        rows = []
        for index in indices:
            rng = derive_generator(1, name, index)
            sample = law.draw(rng)
            estimates = score_all(
                sample.features,
                sample.targets,
                task="classification",
                source_probabilities=sample.source_probabilities,
                generator=rng,
            )
            rows.append({key: (e.value, e.interval) for key, e in estimates.items()})
    return rows


def _values(task):
    name, indices = task
    law = LAWS[name]
    n, n_classes = len(law.labels), len(law.counts)
    setting = Setting("classification", n_classes, n, default_components(n, n_classes))
    with threadpool_limits(1):
        rows = []
        for index in indices:
            rng = derive_generator(2, name, index)
            results = evaluate(law.draw(rng), list(CATALOGUE), setting, generator=rng)
            rows.append({key: result.value for key, result in results.items()})
    return rows


def _parallel(function, name, n_draws):
    parts = np.array_split(np.arange(n_draws), 4)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        return [row for rows in pool.map(function, [(name, part) for part in parts]) for row in rows]


def measure(name, n_draws=N_DRAWS, n_oracle=N_ORACLE):
    """For each score: coverage of the mean over independent draws, and mean width over 2 * 1.96 * their deviation."""
    intervals, values = _parallel(_intervals, name, n_draws), _parallel(_values, name, n_oracle)
    table = {}
    for key in CATALOGUE:
        found = np.array([row[key][1] for row in intervals if row[key][1] is not None])
        independent = np.array([row[key] for row in values])
        centre = independent.mean()
        covered = (found[:, 0] <= centre) & (centre <= found[:, 1])
        oracle = 2 * 1.96 * independent.std(ddof=1)
        width = float((found[:, 1] - found[:, 0]).mean() / oracle)
        # A draw without an interval counts as a miss.
        table[key] = (float(covered.sum() / n_draws), width)
    return table


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gaussian"])
def test_every_interval_covers_and_none_is_wide(name):
    table = measure(name)
    print(json.dumps(table, indent=1))
    assert {key: row for key, row in table.items() if row[0] < 0.93} == {}
    assert {key: row for key, row in table.items() if row[1] > 1.6} == {}


if __name__ == "__main__":
    for law_name in os.environ.get("LAWS", ",".join(LAWS)).split(","):
        print(law_name, {key: tuple(np.round(row, 3)) for key, row in measure(law_name).items()}, flush=True)
