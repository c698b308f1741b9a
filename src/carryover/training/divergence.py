"""A run that diverged: what is seen of it, and the sentence that it ends with."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from carryover._core.errors import NotComputedError

Wrong = Callable[[Mapping[str, Any]], str | None]
"""What is wrong with a step's row of metrics, as the beginning of a sentence; None where nothing is."""
WEIGHT = "a weight became NaN or infinite"


class DivergedError(NotComputedError):
    """Training was stopped at ``step`` (counted from 1); ``event`` says what was seen there, and the learning rate."""

    def __init__(self, event: str, *, step: int, kept: str) -> None:
        super().__init__(f"{event}: training stopped, {kept}. Try a smaller learning rate")
        self.event, self.step = event, step


def not_finite(row: Mapping[str, Any]) -> str | None:
    """A loss or gradient that is NaN or infinite.

    >>> not_finite({"loss": float("nan"), "gradient_norm": 1.0})
    'the loss is nan'
    """
    if not math.isfinite(row["loss"]):
        return f"the loss is {row['loss']}"
    if not math.isfinite(row["gradient_norm"]):
        return f"the gradient's norm is {row['gradient_norm']}"
    return None


def diverged(what: str, row: Mapping[str, Any], *, saved: int, folder: Path | None) -> DivergedError:
    """The error of a run stopped at the step of ``row``, with step ``saved`` (0: none) in its last checkpoint."""
    kept = f"the checkpoint of step {saved} stays in {folder}" if folder and saved else "nothing was saved"
    event = f"{what} at step {row['step']}, learning rate {row['learning_rate']:.3g}"
    return DivergedError(event, step=row["step"], kept=kept)
