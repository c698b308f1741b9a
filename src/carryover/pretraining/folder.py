"""The folder of a run: whose it is, and that nobody else is writing there."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from carryover._core.errors import DiskFullError, InputError
from carryover.data.atomic import remove_partial, written_whole
from carryover.data.locking import sole_writer
from carryover.objectives.finished import RUN
from carryover.training.checkpoint import checkpoint_folders
from carryover.training.metrics import METRICS
from carryover.training.processes import ALONE, Processes
from carryover.training.state import CHECKPOINTS

PATH_KEYS = ("path",)


@contextmanager
def run_folder(folder: Path, record: Mapping[str, Any], processes: Processes = ALONE) -> Iterator[None]:
    """``folder`` with the ``record`` of this run in it, held until the block ends; every process calls it alike.

    What a killed run left half-written is removed.  Raises InputError for a folder that cannot be made, that another
    command is writing in, or that holds something else; of another run it says which keys differ.
    """
    with ExitStack() as stack:
        with processes.first_goes_first():
            _make(folder)
            free = not processes.first or stack.enter_context(sole_writer(folder))
        if processes.any(not free):
            raise InputError(
                f"another command is writing in {folder}: wait until it ends, or name another folder"
            )
        with processes.first_goes_first():
            if processes.first:
                remove_partial(folder)
                remove_partial(folder / CHECKPOINTS)
            _write_or_compare(folder, record)
        yield


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made or is no folder ({error}): name another one") from error


def _write_or_compare(folder: Path, record: Mapping[str, Any]) -> None:
    path = folder / RUN
    if not path.exists():
        if any(folder.iterdir()):
            raise InputError(f"{folder} is not empty and holds no run: name another folder")
    else:
        there = _read(path, record["schema"])
        if there["id"] == record["id"]:
            return
        if _holds_something(folder):
            raise InputError(
                f"{folder} holds a run with another config; these keys differ: {_differences(there, record)}. "
                "Name another folder, or give the same config to go on"
            )
    try:
        with written_whole(path, overwrite=True) as partial:
            partial.write_text(json.dumps(record, indent=1), encoding="utf-8")
    except DiskFullError:
        raise
    except OSError as error:
        raise InputError(f"nothing can be written in {folder} ({error}): name another folder") from error


def _read(path: Path, schema: str) -> dict[str, Any]:
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if not isinstance(there, dict) or there.get("schema") != schema:
        raise InputError(f"{path} is not the record of such a run: name another folder")
    if not (isinstance(there.get("id"), str) and all(isinstance(there.get(key), dict) for key in _COMPARED)):
        raise InputError(f"{path} is damaged: it lacks the run's id, spec or hashes. Name another folder")
    return there


_COMPARED = {"spec": "", "hashes": "hashes."}


def _holds_something(folder: Path) -> bool:
    """Whether anything would be lost with the run: one that failed before its first checkpoint has nothing."""
    others = {path.name for path in folder.iterdir()} - {RUN, METRICS, CHECKPOINTS}
    return bool(others) or bool(checkpoint_folders(folder / CHECKPOINTS))


def _differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    keys = [key for part, where in _COMPARED.items() for key in _differing(there[part], here[part], where)]
    return ", ".join(keys) or "its spec version"


def _differing(there: Mapping[str, Any], here: Mapping[str, Any], where: str) -> list[str]:
    found = []
    for key in sorted({*there, *here}):
        old, new = there.get(key), here.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += _differing(old, new, f"{where}{key}.")
        elif json.dumps(old) != json.dumps(new) and key not in PATH_KEYS:
            found.append(f"{where}{key}")
    return found
