"""Checkpoints of safetensors and JSON: written whole or not at all, the last two kept, hashes checked on load.

A checkpoint is a folder ``step-00001200`` with weights.safetensors, optimizer.safetensors, average.safetensors where a
moving average is kept, and state.json, which holds the step, the run's id, the threads and the sha256 of these files.
All randomness of a run is a function of seed, step and example, so no generator's state is stored.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from carryover._core.errors import InputError
from carryover.data.atomic import folder_written_whole
from carryover.data.hashing import path_hash

SCHEMA = "carryover.checkpoint/1"
KEPT = 2
_FILES = {
    "weights": "weights.safetensors",
    "optimizer": "optimizer.safetensors",
    "average": "average.safetensors",
}
_STATE = {"step": int, "run_id": str, "hashes": dict, "extra": dict}


@dataclass(frozen=True)
class Checkpoint:
    """What a run needs to go on after ``step`` finished steps."""

    step: int
    run_id: str
    weights: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]
    extra: Mapping[str, Any]
    average: Mapping[str, Tensor] = field(default_factory=dict)


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write ``folder/step-...`` whole, then drop all but the last two; returns its path.

    Raises DiskFullError where no space is left; what stood there before stays as it was.
    """
    folder = Path(folder)
    final = folder / f"step-{checkpoint.step:08d}"
    with folder_written_whole(final) as partial:
        files = _files(with_average=bool(checkpoint.average))
        for name, file in files.items():
            tensors = {
                key: value.detach().cpu().contiguous() for key, value in getattr(checkpoint, name).items()
            }
            save_file(tensors, partial / file)
        state = {
            "schema": SCHEMA,
            "step": checkpoint.step,
            "run_id": checkpoint.run_id,
            "hashes": {file: path_hash(partial / file) for file in files.values()},
            "extra": dict(checkpoint.extra),
        }
        (partial / "state.json").write_text(json.dumps(state, indent=1), encoding="utf-8")
    for old in checkpoint_folders(folder)[:-KEPT]:
        shutil.rmtree(old)
    return final


def checkpoint_folders(folder: Path) -> list[Path]:
    """Whole checkpoints of a run, oldest first."""
    return sorted(path for path in Path(folder).glob("step-*") if path.is_dir())


def load_checkpoint(path: Path) -> Checkpoint:
    """Read one checkpoint; InputError where it is incomplete, from elsewhere, or its bytes are not those written."""
    path = Path(path)
    advice = f"Remove {path} to go on from the checkpoint before it"
    state = _read_state(path, advice)
    parts = {}
    for name, file in _files(with_average=_FILES["average"] in state["hashes"]).items():
        if not (path / file).is_file():
            raise InputError(f"{path} is not a whole checkpoint: {file} is missing. {advice}")
        if path_hash(path / file) != state["hashes"].get(file):
            raise InputError(f"{path / file} is corrupt: its sha256 is not the one written with it. {advice}")
        parts[name] = load_file(path / file)
    return Checkpoint(state["step"], state["run_id"], extra=state["extra"], **parts)


def _read_state(path: Path, advice: str) -> dict[str, Any]:
    try:
        state = json.loads((path / "state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} is not a checkpoint: its state.json cannot be read ({error}). {advice}"
        ) from error
    if not isinstance(state, dict) or state.get("schema") != SCHEMA:
        found = state.get("schema") if isinstance(state, dict) else type(state).__name__
        raise InputError(
            f"{path} is not a checkpoint of this version: schema {found!r} instead of {SCHEMA!r}. {advice}"
        )
    wrong = [key for key, kind in _STATE.items() if not isinstance(state.get(key), kind)]
    if wrong:
        raise InputError(f"{path / 'state.json'} is damaged: it states no {', '.join(wrong)}. {advice}")
    return state


def _files(*, with_average: bool) -> dict[str, str]:
    return {name: file for name, file in _FILES.items() if with_average or name != "average"}
