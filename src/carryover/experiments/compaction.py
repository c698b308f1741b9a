"""Many small segments into few: cells that train write one row each, and thousands of files are slow to read.

Nothing is rewritten while a sweep runs.  Every driver shares a lock on the store; segments are put together by a driver
that is the only one left, and by none where the file system has no locks.
"""

import fcntl
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any

from carryover.experiments.store import ROWS, Segment, Store, together

Loaded = tuple[Segment, Any, Mapping[str, Any]]
"""A segment, its table, and what was noted beside it."""
LOCK = ".drivers"
FEW_ROWS, MANY_SEGMENTS = 16, 64


@contextmanager
def driving(store: Store) -> Iterator[None]:
    """Inside, segments stay as they are; after a block that ended well, small ones are put together."""
    with (store.folder / ROWS / LOCK).open("a+") as file:
        _lock(file, fcntl.LOCK_SH)
        yield
        _lock(file, fcntl.LOCK_UN)
        if _lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB):
            compact(store)


def compact(store: Store) -> int:
    """Put segments of few rows together where there are many, and remove them; how many were removed.

    Only segments of one environment and number of threads come together.  Whatever stops it, no row is lost: the
    new segment is there before the old ones go, and rows that are in both agree.
    """
    small = [segment for segment in store.segments() if segment.n < FEW_ROWS]
    if len(small) < MANY_SEGMENTS:
        return 0
    alike: dict[str, list[Loaded]] = {}
    try:
        for segment in small:
            table, note = store.load(segment)
            key = {name: value for name, value in note.items() if name not in ("seconds", "parameters")}
            alike.setdefault(json.dumps(key, sort_keys=True), []).append((segment, table, note))
    except FileNotFoundError:  # another is at it, where locks do not reach from machine to machine
        return 0
    return sum(_put_together(store, group) for group in alike.values() if len(group) > 1)


def _put_together(store: Store, group: Sequence[Loaded]) -> int:
    import pyarrow as pa

    try:
        rows = together([table for _, table, _ in group])
    except pa.ArrowException:  # who reads them is told
        return 0
    notes = [note for _, _, note in group]
    whole = {
        **notes[0],
        "parameters": sorted({key for note in notes for key in note["parameters"]}),
        "seconds": sum(note.get("seconds", 0.0) for note in notes),
    }
    names = [segment.name for segment, _, _ in group]
    store.write_table(
        rows, batch=hashlib.sha256("\n".join(names).encode()).hexdigest()[:16], environment=whole
    )
    for name in names:
        (store.folder / ROWS / name).unlink(missing_ok=True)
    return len(group)


def _lock(file: IO[str], how: int) -> bool:
    """Whether the lock was had; never where the file system has none."""
    try:
        fcntl.flock(file, how)
    except OSError:
        return False
    return True
