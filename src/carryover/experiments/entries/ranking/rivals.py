"""Other implementations as black boxes: ``FOLDER/NAME/score PROBLEMS.npz`` prints what that release returns.

FOLDER is the environment variable CARRYOVER_RIVALS; benchmarks/rivals/setup.sh makes one.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from carryover._core.errors import InputError, NotComputedError
from carryover._core.results import Result

VARIABLE = "CARRYOVER_RIVALS"
RIVALS: Mapping[str, tuple[str, ...]] = {
    "thuml": ("logme",),
    "tllib": ("logme", "h_score", "transrate", "leep"),
    "transformer_ranker": ("logme", "h_score", "knn"),
}
"""By name the scores that are asked for."""
_TIMEOUT_SECONDS = 3600.0
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

Answers = Mapping[str, Mapping[str, Mapping[str, float]]]
"""By candidate, draw and score the value; NaN where the release gave NaN or raised."""


def installed() -> tuple[tuple[str, str], ...]:
    """Name and release of each rival that is there, in the order of ``RIVALS``.

    Raises InputError where CARRYOVER_RIVALS names no folder.
    """
    named = os.environ.get(VARIABLE)
    if not named:
        return ()
    folder = Path(named)
    if not folder.is_dir():
        raise InputError(f"{VARIABLE}: {folder} is not a folder: benchmarks/rivals/setup.sh makes one")
    there = [name for name in RIVALS if (folder / name / "score").is_file()]
    return tuple((name, (folder / name / "version").read_text(encoding="utf-8").strip()) for name in there)


def ask(name: str, problems: Path) -> Result:
    """:data:`Answers` of one rival about what is in ``problems``; failed where it did not answer."""
    program = Path(os.environ.get(VARIABLE, ".")) / name / "score"
    if not program.is_file():
        return Result(status="failed", reason=f"{name} is not installed: {VARIABLE} names no folder with it")
    try:
        found = subprocess.run(
            [program, problems],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            env={**os.environ, **dict.fromkeys(_ONE_THREAD, "1")},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Result(status="failed", reason=f"{name} gave no answer: {error}")
    if found.returncode:
        last = (found.stderr.strip().splitlines() or ["no message"])[-1]
        return Result(status="failed", reason=f"{name} ended with {found.returncode}: {last[:200]}")
    try:
        return Result(_numbers(json.loads(found.stdout.strip().splitlines()[-1])))
    except (IndexError, ValueError, AttributeError) as error:
        return Result(status="failed", reason=f"{name} did not print scores: {error}")


def write_problems(
    path: Path,
    *,
    labels: np.ndarray,
    features: Mapping[str, np.ndarray],
    source: Mapping[str, np.ndarray],
    draws: Mapping[str, np.ndarray],
) -> None:
    """The file that rivals read: labels (n,), by candidate features (n, d) and source probabilities (n, z), by
    draw rows.
    """
    arrays = {f"features/{key}": rows for key, rows in features.items()}
    arrays |= {f"source/{key}": rows for key, rows in source.items()}
    arrays |= {f"rows/{key}": rows for key, rows in draws.items()}
    np.savez(path, labels=labels, **arrays)


def score_of(answers: Answers, score: str, draw: str, names: list[str]) -> np.ndarray:
    """The score (m,) of these candidates on one draw.

    Raises NotComputedError where the rival left one out.
    """
    try:
        return np.array([answers[name][draw][score] for name in names])
    except KeyError as error:
        raise NotComputedError(f"no answer for {error}") from error


def _numbers(table: Mapping[str, Any]) -> dict[str, dict[str, dict[str, float]]]:
    return {
        candidate: {
            draw: {
                key: float("nan") if isinstance(value, Mapping) else float(value)
                for key, value in scores.items()
            }
            for draw, scores in draws.items()
        }
        for candidate, draws in table.items()
    }
