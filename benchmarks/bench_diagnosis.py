"""The main job after extraction: 5 models x 2,000 rows x 512 features, intervals and report included."""

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from harness import Row, seconds

from carryover.cli.main import run

N_MODELS, N_ROWS, N_FEATURES, N_CLASSES = 5, 2_000, 512, 10
LIMIT_SECONDS = 180


def _write(folder: Path) -> list[str]:
    rng = np.random.default_rng(0)
    labels = np.arange(N_ROWS) % N_CLASSES
    arguments = []
    for model in range(N_MODELS):
        means = rng.normal(size=(N_CLASSES, N_FEATURES)) * (0.04 + 0.02 * model)
        mixing = (
            rng.normal(size=(N_FEATURES, N_FEATURES)) * np.linspace(1, 0.02, N_FEATURES) / N_FEATURES**0.5
        )
        features = (means[labels] + rng.normal(size=(N_ROWS, N_FEATURES))) @ mixing
        path = folder / f"model{model}.npz"
        probabilities = rng.dirichlet(np.ones(20), N_ROWS)
        np.savez(
            path, features=features.astype(np.float32), labels=labels, source_probabilities=probabilities
        )
        arguments += ["--model", f"model{model}={path}"]
    return arguments


def rows() -> Iterable[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = _write(folder)
        took = seconds(lambda: run(["diagnose", *models, "--out", str(folder / "out"), "--quiet"]))
        record = json.loads((folder / "out" / "report.json").read_text())
    assert all(model["status"] == "ok" for model in record["models"])
    work = f"{N_MODELS} models x {N_ROWS:,} x {N_FEATURES} diagnosed whole, one thread"
    yield Row(work, took, "s", f"<= {LIMIT_SECONDS} s", took <= LIMIT_SECONDS)
