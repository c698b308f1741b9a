"""Small inputs on disk, and a way to run the command line as a person does."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from planted_features import planted

from carryover.cli.main import run

FAST = ("--measure.n-draws", "8", "--measure.n-partitions", "4", "--quiet")


@pytest.fixture
def diagnose_cli(tmp_path: Path, capsys: pytest.CaptureFixture) -> Callable:
    """Run ``carryover diagnose`` with quick settings: returns the exit code, the output folder, and stderr."""

    def call(*arguments: str, out: str = "out") -> tuple[int, Path, str]:
        folder = tmp_path / out
        cache = tmp_path / "cache"
        code = run(["diagnose", *arguments, "--out", str(folder), "--cache", str(cache), *FAST])
        return code, folder, capsys.readouterr().err

    return call


@pytest.fixture
def feature_files(tmp_path: Path) -> dict[str, Path]:
    """A good and a poor model's features of the same 240 examples."""
    good, labels = planted(240, 10, strength=0.8)
    poor, _ = planted(240, 6, strength=0.1, seed=1)
    files = {}
    for name, features in (("good", good), ("poor", poor)):
        files[name] = tmp_path / f"{name}.npz"
        np.savez(files[name], features=features, labels=labels)
    return files
