"""The linear measures: all point scores against one Gram matrix and one eigh, the ridge path, LogME against its peer.

thuml/LogME is not installed here: CARRYOVER_LOGME_CHECKOUT names a folder with its LogME.py, and
CARRYOVER_LOGME_PYTHON an interpreter that has numpy and numba.  Without them its row says "not run".
"""

import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np
from harness import Row, interleaved, seconds
from scipy.linalg import eigh
from scipy.special import softmax

from carryover.measures.leep import leep
from carryover.measures.linear_scores import linear_scores
from carryover.measures.logme import logme
from carryover.measures.nce import nce
from carryover.measures.ridge import fit_ridge_path

_PEER = """
import sys, time, numpy as np
sys.path.insert(0, sys.argv[1])
from LogME import LogME
n, d, k = map(int, sys.argv[2:])
generator = np.random.default_rng(0)
labels = generator.integers(0, k, n)
features = generator.normal(size=(n, d)) + 0.3 * generator.normal(size=(k, d))[labels]
for line in sys.stdin:
    start = time.perf_counter()
    LogME().fit(features, labels)
    print(time.perf_counter() - start, flush=True)
"""


def _problem(n: int, d: int, n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, n_classes, n)
    return generator.normal(size=(n, d)) + 0.3 * generator.normal(size=(n_classes, d))[labels], labels


def _point_scores() -> Row:
    features, labels = _problem(10_000, 384, 10)
    source = softmax(np.random.default_rng(1).normal(size=(10_000, 10)), axis=1)
    source_labels = source.argmax(axis=1)

    def ours() -> None:
        linear_scores(features, labels, n_classes=10)
        leep(source, labels)
        nce(source_labels, labels)

    def unit() -> None:
        eigh(features.T @ features)

    first, second, ratio = interleaved(ours, unit, repeats=15)
    note = f"{first:.3f} s against {second:.3f} s"
    work = "LogME + H-score + LEEP + NCE + 30-penalty ridge with leave-one-out, 10,000 x 384, 10 classes"
    return Row(work, round(ratio, 2), "x (Gram + eigh)", "<= 2.5", ratio <= 2.5, note)


def _products_alone() -> Row:
    """The least that 30 penalties with exact leave-one-out take in float64: their matrix products and one eigh."""
    features, _ = _problem(10_000, 384, 10)
    basis = np.random.default_rng(2).normal(size=(384, 12 * 11))

    def products() -> None:
        centred = features - features.mean(axis=0)
        directions = eigh(centred.T @ centred)[1]
        coordinates = directions.T @ centred.T
        basis[:, :120].T @ coordinates
        basis[:, 120:].T @ np.square(coordinates)

    def unit() -> None:
        eigh(features.T @ features)

    first, second, ratio = interleaved(products, unit, repeats=15)
    work = (
        "of these the centring, Gram, eigh, coordinates and path products alone (12 columns for 30 penalties)"
    )
    return Row(work, round(ratio, 2), "x (Gram + eigh)", "", None, f"{first:.3f} s against {second:.3f} s")


def _ridge_path() -> Row:
    features, labels = _problem(10_000, 384, 10)
    fit_ridge_path(features, labels)
    taken = median(seconds(lambda: fit_ridge_path(features, labels)) for _ in range(7))
    note = "needs.md: .10 s by direct NumPy without leave-one-out; 53 s for 100 logistic fits"
    return Row(
        "ridge path, 30 penalties, exact leave-one-out, 10,000 x 384", round(taken, 3), "s", "", None, note
    )


def _half_sample() -> Row:
    features, labels = _problem(1000, 512, 10)
    linear_scores(features, labels)
    taken = median(seconds(lambda: linear_scores(features, labels)) for _ in range(7))
    return Row("linear scores of one half-sample, 1,000 x 512", round(taken, 3), "s", "", None)


@contextmanager
def _peer(n: int, d: int, n_classes: int) -> Iterator[subprocess.Popen | None]:
    """thuml/LogME in a process of its own that times one fit for each line it is sent."""
    checkout, python = os.environ.get("CARRYOVER_LOGME_CHECKOUT"), os.environ.get("CARRYOVER_LOGME_PYTHON")
    if not checkout or not python or not (Path(checkout) / "LogME.py").is_file():
        yield None
        return
    command = [python, "-c", _PEER, checkout, str(n), str(d), str(n_classes)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.stdin.close()


def _peer_seconds(process: subprocess.Popen) -> float:
    process.stdin.write("\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def _logme_against_peer() -> Row:
    n, d, n_classes = 5000, 768, 100
    features, labels = _problem(n, d, n_classes)
    work = "LogME alone, 5,000 x 768, 100 classes, against thuml/LogME"
    with _peer(n, d, n_classes) as process:
        if process is None:
            logme(features, labels)
            taken = median(seconds(lambda: logme(features, labels)) for _ in range(7))
            note = "peer not run: set CARRYOVER_LOGME_CHECKOUT and CARRYOVER_LOGME_PYTHON (needs.md: .42 s)"
            return Row(work, round(taken, 3), "s", ">= 4x faster", None, note)
        logme(features, labels), _peer_seconds(process)
        pairs = [(seconds(lambda: logme(features, labels)), _peer_seconds(process)) for _ in range(9)]
    ratio = median(theirs / ours for ours, theirs in pairs)
    note = f"{median(ours for ours, _ in pairs):.3f} s against {median(theirs for _, theirs in pairs):.3f} s"
    return Row(work, round(ratio, 2), "x faster", ">= 4", ratio >= 4.0, note)


def rows() -> Iterable[Row]:
    """The table's rows on the linear measures."""
    yield _point_scores()
    yield _products_alone()
    yield _ridge_path()
    yield _half_sample()
    yield _logme_against_peer()
