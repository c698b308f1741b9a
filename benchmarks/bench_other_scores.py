"""Each score that the linear measures do not give, and the intervals of all: seconds, and in Gram + eigh."""

from collections.abc import Callable, Iterable

import numpy as np
from harness import Row, interleaved, seconds
from scipy.linalg import eigh
from scipy.special import softmax

from carryover.measures.knn import knn
from carryover.measures.leep import leep
from carryover.measures.nce import nce
from carryover.measures.nleep import nleep
from carryover.measures.pactran import pactran
from carryover.measures.scoring import score_all
from carryover.measures.transrate import transrate

N, D, CLASSES = 10_000, 384, 10
INTERVALS_TARGET = 15.0


def _problem(n: int, d: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    labels = np.arange(n) % CLASSES
    spread = 3 / np.sqrt(1 + np.arange(d))
    features = 0.15 * generator.normal(size=(CLASSES, d))[labels] + spread * generator.normal(size=(n, d))
    return features, labels, softmax(0.2 * features @ generator.normal(size=(d, CLASSES)), axis=1)


def rows() -> Iterable[Row]:
    """One row a score at 10,000 x 384, 10 classes; then all nine with intervals at 2,000 x 512."""
    features, labels, source = _problem(N, D)

    def unit() -> object:
        return eigh(features.T @ features)

    work: dict[str, Callable[[], object]] = {
        "NLEEP": lambda: nleep(features, labels, generator=np.random.default_rng(0)),
        "PACTran": lambda: pactran(features, labels),
        "kNN": lambda: knn(features, labels),
        "TransRate": lambda: transrate(features, labels),
        "LEEP + NCE": lambda: (leep(source, labels), nce(source.argmax(axis=1), labels)),
    }
    for name, call in work.items():
        taken, _, ratio = interleaved(call, unit, repeats=3)
        yield Row(
            f"{name}, {N:,} x {D}, {CLASSES} classes", ratio, "Gram + eigh", "-", None, f"{taken:.3f} s"
        )
    features, labels, source = _problem(2_000, 512)
    taken = seconds(
        lambda: score_all(
            features,
            labels,
            task="classification",
            source_probabilities=source,
            generator=np.random.default_rng(0),
        )
    )
    yield Row(
        "nine scores with intervals, 2,000 x 512",
        taken,
        "s",
        f"<= {INTERVALS_TARGET:.0f} s",
        taken <= INTERVALS_TARGET,
    )
