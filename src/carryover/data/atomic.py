"""Files and folders that appear whole or not at all, and what a full disk is called."""

import errno
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from carryover._core.errors import DiskFullError, InputError

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_PARTIAL = re.compile(r"\..+\.[0-9a-f]{8}\.partial(\..+)?")


@contextmanager
def written_whole(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A temporary path beside ``path`` that replaces it when the block ends well, and goes when it does not.

    InputError: the file exists and ``overwrite`` is false, or its folder is missing.  DiskFullError: no
    space is left.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists: choose another name or allow overwriting")
    if not path.parent.is_dir():
        raise InputError(f"the folder {path.parent} does not exist: create it first")
    partial = _beside(path, path.suffix)
    try:
        with naming_a_full_disk(path):
            yield partial
            _to_disk(partial)
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def folder_written_whole(path: str | Path) -> Iterator[Path]:
    """A temporary folder beside ``path``, of files, that replaces it when the block ends well; else it goes.

    Parents are made.  DiskFullError: no space is left; what stood at ``path`` stays as it was.
    """
    path = Path(path)
    partial = _beside(path)
    try:
        with naming_a_full_disk(path):
            partial.mkdir(parents=True)
            yield partial
            for written in (*partial.iterdir(), partial):
                _to_disk(written)
            if path.exists():
                shutil.rmtree(path)
            partial.rename(path)
            _to_disk(path.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def naming_a_full_disk(path: Path) -> Iterator[None]:
    """DiskFullError that names ``path`` where the block finds no space; safetensors says so by an error of its own."""
    try:
        yield
    except DiskFullError:
        raise
    except (OSError, SafetensorError) as error:
        if getattr(error, "errno", None) in _NO_SPACE or "No space left" in str(error):
            raise DiskFullError(
                errno.ENOSPC, f"no space is left to write {path}: free some and run again"
            ) from error
        raise


def remove_partial(folder: Path) -> None:
    """Remove what writers that were killed left half-written in ``folder``; nobody may be writing there."""
    for path in Path(folder).glob(".*"):
        if _PARTIAL.fullmatch(path.name):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _beside(path: Path, suffix: str = "") -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial{suffix}")


def _to_disk(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
