"""What computes a cell's row, and the cell itself: all that workers are handed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from carryover.experiments.rows import Columns, Row, Scalar


@dataclass(frozen=True)
class Cell:
    """One point of a sweep: its id, what varies as columns of its row, and its spec."""

    id: str
    spec: Any
    parameters: dict[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True)
class Compute:
    """How specs become rows.  The functions are importable by name, since they travel to other processes.

    ``one``: the result of a spec, in a folder of its own that an earlier try may have left half done (None where
    ``leaves_folder`` is false).  ``many``: the results of several at once as columns, the same bit for bit as ``one``
    of each; ``at_most`` so many, since nothing shows of them, and nothing stays, before they are all done.
    A result may say ``status`` "failed" with its ``reason``; an exception becomes a row that failed, too.
    ``uses_torch``: torch's threads are set before it runs.
    """

    one: Callable[[Any, Path | None], Row]
    many: Callable[[Sequence[Any]], Columns] | None = None
    at_most: int = 4096
    leaves_folder: bool = False
    uses_torch: bool = False
