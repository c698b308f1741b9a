"""A million precomputed rows: peak memory and time of the whole diagnosis.  Not part of `make bench` unless asked for.

python benchmarks/bench_large.py [--rows 1000000] [--features 768]
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from harness import Row

from carryover.data.feature_writer import save_features

N_CLASSES = 10
BLOCK = 20_000
LIMIT_GIB = 4.0


class _Planted:
    """Gaussian classes, written block by block: nothing of the size of the whole is ever held."""

    def __init__(self, n: int, d: int) -> None:
        self.shape = (n, d)
        self.labels = np.random.default_rng(1).integers(0, N_CLASSES, n)
        self._means = 0.05 * np.random.default_rng(2).standard_normal((N_CLASSES, d), dtype=np.float32)

    def __len__(self) -> int:
        return self.shape[0]

    def blocks(self, rows: int = BLOCK) -> Iterator[tuple[int, np.ndarray]]:
        rng = np.random.default_rng(3)
        for start in range(0, self.shape[0], rows):
            labels = self.labels[start : start + rows]
            noise = rng.standard_normal((len(labels), self.shape[1]), dtype=np.float32)
            yield start, self._means[labels] + noise


def measure(n: int, d: int) -> tuple[float, float]:
    """Seconds and peak GiB of ``carryover diagnose`` on (n, d) float32 features from a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.npz"
        rows = _Planted(n, d)
        save_features(path, rows, labels=rows.labels)
        command = [
            sys.executable,
            "-m",
            "carryover",
            "diagnose",
            "--model",
            f"large={path}",
            "--out",
            f"{folder}/out",
        ]
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20


def rows(n: int = 1_000_000, d: int = 768) -> Iterable[Row]:
    seconds, peak = measure(n, d)
    work = f"diagnose {n:,} x {d} float32 features, whole"
    yield Row(f"{work}: peak memory", peak, "GiB", f"< {LIMIT_GIB}", peak < LIMIT_GIB)
    yield Row(f"{work}: time", seconds, "s", "", None)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=768)
    arguments = parser.parse_args()
    for row in rows(arguments.rows, arguments.features):
        print(row)
