"""Which cells are put together: batches of about one size that take alike long."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from carryover.experiments.batch import Batch
from carryover.experiments.compute import Cell, Compute
from carryover.experiments.store import Segment

LEAST_IN_BATCH = 16
BATCHES_EACH, RUNS_IN_BATCH = 2, 16


@dataclass(frozen=True)
class PlannedBatch:
    """Cells that make one segment, its name, and the segments of that name that were there before the sweep began."""

    name: str
    cells: tuple[Cell, ...]
    seen: frozenset[str] = frozenset()

    def batch(self) -> Batch:
        """As it travels, made when its turn comes: workers wait for the first one only."""
        return Batch.of(self.cells, self.name, self.seen)


def batch_size(compute: Compute, n: int, workers: int) -> int:
    """One where cells leave folders or take long, else so many that every worker has as many batches, two or more."""
    if compute.many is None:
        return 1
    each = max(BATCHES_EACH, -(-n // (workers * compute.at_most)))
    return max(LEAST_IN_BATCH, -(-n // (each * workers)))


def make_batches(cells: Sequence[Cell], before: Sequence[Segment], *, size: int) -> list[PlannedBatch]:
    """The cells in batches, which know those of their ``before`` segments that have their names.

    In any order, so that two drivers on one folder seldom work on the same batch; rows do not depend on it.
    """
    named = {_name(part): part for part in dealt(cells, size)}
    seen: dict[str, set[str]] = {}
    for segment in before:
        seen.setdefault(segment.batch, set()).add(segment.name)
    batches = [PlannedBatch(name, part, frozenset(seen.get(name, ()))) for name, part in named.items()]
    random.SystemRandom().shuffle(batches)
    return batches


def dealt(cells: Sequence[Cell], size: int) -> list[tuple[Cell, ...]]:
    """The cells in parts of about ``size``, dealt out like cards in short runs of neighbours.

    Neighbours of a grid take alike long: parts of many runs do too, so that the last of them is not waited for.
    """
    run, n = max(1, size // RUNS_IN_BATCH), -(-len(cells) // size)
    runs = [cells[start : start + run] for start in range(0, len(cells), run)]
    return [tuple(chain.from_iterable(runs[place::n])) for place in range(n)]


def _name(cells: Sequence[Cell]) -> str:
    return hashlib.blake2b("\n".join([cell.id for cell in cells]).encode(), digest_size=8).hexdigest()
