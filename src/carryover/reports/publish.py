"""The report's files appear together or not at all."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from carryover._core.errors import InputError
from carryover.reports.html import render_report
from carryover.reports.record import check_record, naming_full_disk, write_record, write_text_atomically
from carryover.reports.tables import write_tables

PUBLISHED = ("tables", "report.json", "report.html")


def check_free(out_dir: Path, *, overwrite: bool = False, names: Sequence[str] = PUBLISHED) -> None:
    """Refuse a folder that holds a report already; call it before the long work starts.

    ``names``: the files that would be replaced, by default those of a diagnosis.

    Raises:
        InputError: naming the existing file and ``--overwrite``; or when ``out_dir`` is not a folder.
    """
    out_dir = Path(out_dir)
    if out_dir.exists() and not out_dir.is_dir():
        raise InputError(f"the output folder {out_dir} is a file: name another with --out")
    existing = [out_dir / name for name in names if (out_dir / name).exists()]
    if existing and not overwrite:
        listed = ", ".join(map(str, existing))
        raise InputError(f"already there: {listed}. Choose another --out, or replace it with --overwrite")


def write_report(record: Mapping[str, Any], out_dir: Path, overwrite: bool = False) -> Path:
    """Write report.html, report.json and tables/ into ``out_dir``; returns the path of report.html.

    They appear together or not at all (:func:`publish_together`).

    Raises:
        InputError: when a report is there and ``overwrite`` is false, or the record does not meet its schema.
        DiskFullError: when no space is left; nothing half-written remains.
    """
    out_dir = Path(out_dir)
    check_free(out_dir, overwrite=overwrite)
    check_record(record)
    html = render_report(record)
    writers = {
        "tables": partial(write_tables, record),
        "report.json": partial(write_record, record),
        "report.html": partial(write_text, html),
    }
    publish_together(out_dir, {name: writers[name] for name in PUBLISHED})
    return out_dir / "report.html"


def write_text(text: str, path: Path) -> None:
    """Write ``text`` to ``path`` atomically; in this order of arguments for a writer of files."""
    write_text_atomically(path, text)


def publish_together(out_dir: Path, writers: Mapping[str, Callable[[Path], Any]]) -> None:
    """Write files and folders into ``out_dir``, each by its own writer, all of them or none.

    Everything is written into a temporary folder beside its destination first, and moved into place when all of it
    is whole; if a move fails, what stood there before is put back.  Whatever else ``out_dir`` holds (a cache of
    features) stays.

    Raises:
        DiskFullError: when no space is left; nothing half-written remains.
    """
    created = not out_dir.exists()
    staging = None
    try:
        with naming_full_disk(out_dir):
            out_dir.mkdir(parents=True, exist_ok=True)
            staging = Path(mkdtemp(prefix=".report-", dir=out_dir))
            for name, write in writers.items():
                write(staging / name)
            _move_into_place(staging, out_dir, tuple(writers))
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)
        if created and out_dir.is_dir() and not any(out_dir.iterdir()):
            out_dir.rmdir()


def _move_into_place(staging: Path, out_dir: Path, names: Sequence[str]) -> None:
    """Swap the new files in, keeping the old ones until all are in place."""
    old = staging / "old"
    old.mkdir()
    moved: list[str] = []
    set_aside: list[str] = []
    try:
        for name in names:
            if (out_dir / name).exists():
                (out_dir / name).rename(old / name)
                set_aside.append(name)
            (staging / name).rename(out_dir / name)
            moved.append(name)
    except BaseException:
        for name in moved:
            (out_dir / name).rename(staging / name)
        for name in set_aside:
            (old / name).rename(out_dir / name)
        raise
