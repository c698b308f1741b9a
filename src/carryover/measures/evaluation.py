"""One sample, all the scores that are asked of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from carryover._core.results import Result
from carryover.measures.catalogue import Task
from carryover.measures.knn import knn, knn_regression
from carryover.measures.leep import leep
from carryover.measures.linear_scores import linear_scores
from carryover.measures.nce import nce
from carryover.measures.nleep import nleep
from carryover.measures.pactran import pactran
from carryover.measures.transrate import transrate

LINEAR = ("logme", "h_score", "ridge_loo")


@dataclass(frozen=True)
class Sample:
    """The examples that one evaluation sees."""

    features: np.ndarray
    targets: np.ndarray
    source_probabilities: np.ndarray | None = None
    groups: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> "Sample":
        """These rows of everything."""
        return Sample(*(None if part is None else part[rows] for part in vars(self).values()))


@dataclass(frozen=True)
class Setting:
    """What is fixed by the whole sample and stays the same on its subsamples."""

    task: Task
    n_classes: int
    n_constants: int
    n_components: int


def evaluate(
    sample: Sample, names: Sequence[str], setting: Setting, *, generator: np.random.Generator
) -> dict[str, Result]:
    """The named scores on one sample."""
    features, targets, source = sample.features, sample.targets, sample.source_probabilities
    n_components = min(setting.n_components, len(features))
    regression = setting.task == "regression"
    single = {
        "leep": lambda: leep(source, targets),
        "nce": lambda: nce(source.argmax(axis=1), targets),
        "nleep": lambda: nleep(features, targets, n_components=n_components, generator=generator),
        "transrate": lambda: transrate(features, targets),
        "pactran": lambda: pactran(features, targets, n_constants=setting.n_constants),
        "knn": lambda: knn_regression(features, targets) if regression else knn(features, targets),
    }
    results = {name: single[name]() for name in names if name in single}
    if any(name in LINEAR for name in names):
        n_classes = None if regression else setting.n_classes
        linear = linear_scores(features, targets, task=setting.task, n_classes=n_classes)
        results |= {name: linear[name] for name in names if name in LINEAR}
    return results
