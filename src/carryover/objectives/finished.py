"""The folder of a finished pretraining run, read whole: its encoder, the examples it saw, the losses it reached."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from safetensors import SafetensorError
from safetensors.numpy import load_file

from carryover._core.errors import InputError
from carryover._core.results import Estimate
from carryover._core.strict import build
from carryover.data.hash_tables import load_hash_tables
from carryover.objectives.saved import (
    EXAMPLE_HASHES,
    EncoderRecord,
    PretrainedEncoder,
    checked_file,
    load_encoder,
    model_folder,
    read_encoder_record,
)

RUN_SCHEMA = "carryover.run/1"
RESULT_SCHEMA = "carryover.pretraining/1"
RUN, RESULT, HELD_OUT_LOSSES = "run.json", "result.json", "held_out_losses.safetensors"


@dataclass(frozen=True)
class PretrainingLosses:
    """The measured losses of a run.

    ``of_examples`` (m,): the loss of each held-out image (of each ``batch`` of them, for losses that couple one), empty
    without.  Two runs with the same ``seed`` and ``held_out_hash`` measured the same images with the same masks.
    """

    train: Estimate
    held_out: Estimate
    of_examples: Float[np.ndarray, " m"]
    held_out_hash: str | None
    batch: int
    seed: int


@dataclass(frozen=True)
class FinishedRun:
    """``seen``: the hashes of the images of each role ("train", "held_out", "downstream"), "downstream" only where a
    regulariser looked at that pool.  ``losses`` is None where only the encoder's folder is at hand.
    """

    model: Path
    record: EncoderRecord
    encoder: PretrainedEncoder
    seen: Mapping[str, UInt8[np.ndarray, "n 32"]]
    losses: PretrainingLosses | None


def is_run(path: str | Path) -> bool:
    """Whether ``path`` is a folder that a pretraining run wrote (finished or not), or the encoder's folder in one."""
    folder = Path(path).expanduser()
    if (folder / "encoder.json").is_file():
        return True
    if not (folder / RUN).is_file():
        return False
    # A run.json may be anyone's: a checkpoint in another format that has one is left to those who read that format.
    return not (folder / "config.json").is_file()


def open_run(path: str | Path) -> FinishedRun:
    """Read a run's folder, or the encoder's folder in one.

    Raises InputError for a run that is not finished, a file that is damaged, missing or of another version, and an
    encoder that another run made.
    """
    folder = Path(path).expanduser()
    if (folder / RUN).is_file():
        _read_json(folder / RUN, RUN_SCHEMA)
    model = model_folder(folder)
    record = read_encoder_record(model)
    seen = load_hash_tables(checked_file(model / EXAMPLE_HASHES, record.example_hashes_sha256))
    losses = (
        None if model == folder and not (folder.parent / RUN).is_file() else _losses(model.parent, record)
    )
    return FinishedRun(model, record, load_encoder(model), seen, losses)


def _losses(folder: Path, record: EncoderRecord) -> PretrainingLosses:
    run = _read_json(folder / RUN, RUN_SCHEMA)
    if run.get("id") != record.run_id:
        raise InputError(
            f"the encoder in {folder} is not of the run there: run.json has id {str(run.get('id'))[:8]}..., "
            f"encoder.json names {record.run_id[:8]}..."
        )
    if not (folder / RESULT).is_file():
        raise InputError(
            f"{folder} holds a pretraining run that is not finished: its losses were not measured. Run carryover "
            "pretrain again with the same config and folder to finish it"
        )
    result = _read_json(folder / RESULT, RESULT_SCHEMA)
    try:
        train, held_out = (
            build(Estimate, result["pretraining_loss"][part]) for part in ("train", "held_out")
        )
        seed, held_out_hash = int(run["spec"]["seed"]), run["hashes"].get("held_out")
        batch = int(result["measured_batch"])
        values = load_file(checked_file(folder / HELD_OUT_LOSSES, result["held_out_losses_sha256"]))["losses"]
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, SafetensorError) as error:
        raise InputError(f"the records in {folder} are damaged: {type(error).__name__} {error}") from error
    return PretrainingLosses(train, held_out, values.astype(np.float64), held_out_hash, batch, seed)


def _read_json(path: Path, schema: str) -> dict[str, Any]:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if not isinstance(table, dict) or table.get("schema") != schema:
        found = table.get("schema") if isinstance(table, dict) else None
        raise InputError(
            f"{path} is not of a pretraining run of this version: its schema is {found!r}, not {schema!r}"
        )
    return table
