"""A progress bar in the terminal, plain lines elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn


@contextmanager
def watch(console: Console) -> Iterator[Callable[[str, float], None]]:
    """Gives a function of (stage, fraction done); in a terminal one bar, otherwise a line for each new stage."""
    if not console.is_terminal:
        yield _lines(console)
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda stage, done: bar.update(task, description=stage, completed=done)


def _lines(console: Console) -> Callable[[str, float], None]:
    seen = [""]

    def report(stage: str, done: float) -> None:
        if stage != seen[0]:
            seen[0] = stage
            console.print(f"... {stage}", markup=False)

    return report
