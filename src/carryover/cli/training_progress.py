"""Progress of training: losses, images a second and time left, as a bar in a terminal and as lines elsewhere."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from carryover.reports.numbers import duration

Show = Callable[[Mapping[str, Any]], None]
SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def watch_training(console: Console, steps: int) -> Iterator[Show]:
    """Gives a function of the metrics of a step as metrics.jsonl holds them."""
    if not console.is_terminal:
        yield _lines(console, steps)
        return
    columns = (BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("opening the data", total=steps)
        yield lambda row: bar.update(task, completed=row["step"], description=_numbers(row))


def _lines(console: Console, steps: int) -> Show:
    """The first line, the last, and between them one in SECONDS_BETWEEN_LINES."""
    printed = [-math.inf]

    def show(row: Mapping[str, Any]) -> None:
        now = time.monotonic()
        if now - printed[0] >= SECONDS_BETWEEN_LINES or row["step"] == steps:
            printed[0] = now
            line = f"step {row['step']:,} of {steps:,}: {_numbers(row)}"
            console.print(line, markup=False, highlight=False, soft_wrap=True)

    return show


def _numbers(row: Mapping[str, Any]) -> str:
    losses = [f"{name.replace('_', ' ')} {value:.4g}" for name, value in losses_of(row).items()]
    return ", ".join(
        [*losses, f"{row['images_per_second']:,.0f} images/s", f"{duration(row['seconds_left'])} left"]
    )


def losses_of(row: Mapping[str, Any]) -> dict[str, float]:
    """The loss that is minimised and its parts; the loss alone where there is but one part.

    >>> losses_of({"loss": 1.5, "pretraining_loss": 1.0, "radreg_penalty": 5.0, "step": 3})
    {'loss': 1.5, 'pretraining_loss': 1.0, 'radreg_penalty': 5.0}
    """
    parts = {name: row[name] for name in row if name.endswith(("_loss", "_penalty"))}
    return {"loss": row["loss"], **(parts if len(parts) > 1 else {})}
