"""The encoder that a pretraining run left, opened again: safetensors and JSON, no code."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from carryover._core.errors import InputError
from carryover._core.strict import build
from carryover.data.hashing import path_hash
from carryover.models.encoders import ImageSize
from carryover.models.weights import read_weights
from carryover.objectives.base import Objective
from carryover.objectives.building import build_objective
from carryover.objectives.regularizers import Regularizer
from carryover.objectives.specs import ObjectiveSpec

SCHEMA = "carryover.encoder/1"
MODEL = "model"
WEIGHTS = "weights.safetensors"
EXAMPLE_HASHES = "example_hashes.safetensors"


@dataclass(frozen=True)
class EncoderRecord:
    """What encoder.json says: how the network is built, how it normalises pixels, and what belongs to it.

    ``run_id`` names the run that made it; the two sha256 are those of the files beside it.
    """

    run_id: str
    objective: ObjectiveSpec
    regularizer: Regularizer
    size: ImageSize
    mean: tuple[float, ...]
    std: tuple[float, ...]
    weights_sha256: str
    example_hashes_sha256: str


class PretrainedEncoder(nn.Module):
    """The encoder of a finished run: images in [0, 1], (b, c, h, w) of ``size``, to features (b, d)."""

    def __init__(self, objective: Objective, size: ImageSize) -> None:
        super().__init__()
        self.objective, self.size = objective, size

    def forward(self, images: Tensor) -> Tensor:
        wanted = (self.size.channels, self.size.height, self.size.width)
        if tuple(images.shape[1:]) != wanted:
            raise InputError(f"this encoder takes images of shape (b, {wanted[0]}, {wanted[1]}, {wanted[2]}), "
                             f"got {tuple(images.shape)}")  # fmt: skip
        return self.objective.encode(images)


def load_encoder(folder: str | Path) -> PretrainedEncoder:
    """The encoder of a run's folder (or of its ``model`` folder), in evaluation mode and without gradients.

    Raises InputError where there is none, where the run is not finished, where the weights are not those written with
    it, hold NaN or infinity, or do not fit.
    """
    model = model_folder(folder)
    record = read_encoder_record(model)
    weights = checked_file(model / WEIGHTS, record.weights_sha256)
    objective = build_objective(record.objective, record.size, mean=record.mean, std=record.std, seed=0)
    state, _ = read_weights(weights)
    try:
        objective.load_state_dict(state)
    except RuntimeError as error:
        raise InputError(f"{weights} does not fit the network of encoder.json beside it: {error}") from error
    return PretrainedEncoder(objective, record.size).eval().requires_grad_(False)


def model_folder(folder: str | Path) -> Path:
    """The folder with encoder.json: this one, or ``model`` in it; InputError where neither has one."""
    root = Path(folder).expanduser()
    if (root / "encoder.json").is_file():
        return root
    if (root / MODEL / "encoder.json").is_file():
        return root / MODEL
    if (root / "run.json").is_file():
        raise InputError(
            f"{root} holds a pretraining run that is not finished: there is no encoder in it yet. Run carryover "
            "pretrain again with the same config and folder to finish it"
        )
    raise InputError(f"{root} holds no encoder of a pretraining run: it has no encoder.json and no run.json")


def read_encoder_record(model: Path) -> EncoderRecord:
    """encoder.json in ``model``; InputError where it is damaged or of another version."""
    path = model / "encoder.json"
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if not isinstance(table, dict) or table.get("schema") != SCHEMA:
        raise InputError(f"{path} is not of this version: its schema is not {SCHEMA!r}")
    try:
        return build(EncoderRecord, {key: value for key, value in table.items() if key != "schema"})
    except InputError as error:
        raise InputError(f"{path} is damaged: {error}") from error


def checked_file(path: Path, sha256: str) -> Path:
    """``path`` itself; InputError where it is gone or its bytes are not those written with the encoder."""
    if not path.is_file() or path_hash(path) != sha256:
        raise InputError(f"{path} is missing or corrupt: its sha256 is not the one written with it")
    return path


@torch.no_grad()
def encode_in_batches(encoder: PretrainedEncoder, pixels: Tensor, *, batch_size: int = 256) -> Tensor:
    """Features (n, d) of uint8 images (n, c, h, w)."""
    parts = [encoder(part.to(torch.float32) / 255.0) for part in pixels.split(batch_size)]
    return torch.cat(parts)
