"""Run an entry: its cells through the sweep engine into a folder, then table and comparisons from the rows."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from carryover.experiments.backends import Backend
from carryover.experiments.comparisons import Comparison
from carryover.experiments.entry import Entry, Part, SizeName
from carryover.experiments.identity import environment
from carryover.experiments.inputs import Inputs
from carryover.experiments.rows import Row
from carryover.experiments.store import Store, open_store
from carryover.experiments.sweep import Progress, SweepResult, run_sweep

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Reproduction:
    """What came of an entry at one size; counts are of cells, ``seconds`` of this run alone."""

    entry: Entry
    size: SizeName
    table: "pd.DataFrame"
    comparisons: tuple[Comparison, ...]
    n_cells: int
    n_computed: int
    n_failed: int
    seconds: float
    environment: dict[str, str]
    notes: tuple[str, ...] = ()


def reproduce(
    entry: Entry,
    size: SizeName,
    folder: str | Path,
    *,
    inputs: Inputs | None = None,
    backend: Backend = "loky",
    address: str | None = None,
    workers: int = 1,
    retry_failed: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Reproduction:
    """Compute the cells that ``folder`` does not have yet, then the table and the comparisons.

    ``inputs``: where data sets are, by default the hub.  One thread for each cell.  Raises InputError for an unknown
    size, for options out of range and for a folder that holds something else.
    """
    parts = entry.size(size).parts(inputs or Inputs())
    store = open_store(folder, command=f"reproduce {entry.name}")
    started = time.monotonic()
    found = [
        run_sweep(
            part.cells,
            part.compute,
            store,
            backend=backend,
            address=address,
            workers=workers,
            retry_failed=retry_failed,
            progress=progress,
        )
        for part in parts
    ]
    seconds = time.monotonic() - started
    table = entry.table(labelled_rows(parts, store))
    n_cells, n_computed, n_failed = (_sum(found, name) for name in ("n_cells", "n_computed", "n_failed"))
    notes = tuple(dict.fromkeys(note for one in found for note in one.notes))
    return Reproduction(
        entry, size, table, entry.compare(table), n_cells, n_computed, n_failed, seconds, environment(), notes
    )


def labelled_rows(parts: Sequence[Part], store: Store) -> list[Row]:
    """A row for each cell, in the order of the parts, with the cell's own labels and without columns of others."""
    rows = store.read()
    stored = {row["id"]: row for row in rows.table.to_pylist()}
    others = {"id", *rows.parameters}
    return [
        {**cell.parameters, **{key: value for key, value in stored[cell.id].items() if key not in others}}
        for part in parts
        for cell in part.cells
    ]


def _sum(found: Sequence[SweepResult], name: str) -> int:
    return sum(getattr(one, name) for one in found)
