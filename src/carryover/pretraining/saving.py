"""What a run leaves to hand on: its encoder as safetensors and JSON, and in transformers' format where it has one."""

import dataclasses
import json
import shutil
import uuid
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from carryover._core.errors import InputError
from carryover._core.strict import build
from carryover.data.hashing import path_hash
from carryover.models.encoders import ImageSize
from carryover.objectives.base import Objective
from carryover.objectives.mae import MaskedAutoencoder
from carryover.pretraining.building import build_objective
from carryover.pretraining.data import RunData
from carryover.pretraining.specs import ObjectiveSpec

SCHEMA = "carryover.encoder/1"
MODEL = "model"


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


def save_encoder(objective: Objective, spec: ObjectiveSpec, data: RunData, folder: Path) -> Path:
    """Write ``folder/model`` whole: weights.safetensors, encoder.json, preprocessing.json; for a masked autoencoder
    also what ``transformers`` opens.  Returns its path; an older one is replaced.
    """
    final, partial = Path(folder) / MODEL, Path(folder) / f".{MODEL}-{uuid.uuid4().hex[:8]}"
    size = data.train.size
    try:
        partial.mkdir(parents=True)
        if isinstance(objective, MaskedAutoencoder):
            objective.model.save_pretrained(partial)
        weights = {name: value.detach().cpu().contiguous() for name, value in objective.state_dict().items()}
        save_file(weights, partial / "weights.safetensors")
        preprocessing = {"rescale": 1 / 255, "mean": data.mean, "std": data.std, **dataclasses.asdict(size)}
        _write_json(partial / "preprocessing.json", preprocessing)
        record = {
            "schema": SCHEMA,
            "objective": dataclasses.asdict(spec),
            "size": dataclasses.asdict(size),
            "mean": data.mean,
            "std": data.std,
            "weights_sha256": path_hash(partial / "weights.safetensors"),
        }
        _write_json(partial / "encoder.json", record)
        if final.exists():
            shutil.rmtree(final)
        partial.rename(final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return final


def load_encoder(folder: str | Path) -> PretrainedEncoder:
    """The encoder of a run's folder, in evaluation mode and without gradients.

    Raises InputError where there is none, where its weights are not those written with it, or do not fit.
    """
    root = Path(folder)
    model = root if (root / "encoder.json").is_file() else root / MODEL
    try:
        record = json.loads((model / "encoder.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{root} holds no encoder of a pretraining run: {error}") from error
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise InputError(f"{model / 'encoder.json'} is not of this version: its schema is not {SCHEMA!r}")
    weights = model / "weights.safetensors"
    if not weights.is_file() or path_hash(weights) != record["weights_sha256"]:
        raise InputError(f"{weights} is missing or corrupt: its sha256 is not the one written with it")
    size = ImageSize(**record["size"])
    objective = build_objective(
        build(ObjectiveSpec, record["objective"]), size, mean=record["mean"], std=record["std"], seed=0
    )
    objective.load_state_dict(load_file(weights))
    return PretrainedEncoder(objective, size).eval().requires_grad_(False)


def _write_json(path: Path, record: dict[str, Any]) -> None:
    path.write_text(json.dumps(record, indent=1), encoding="utf-8")


@torch.no_grad()
def encode_in_batches(encoder: PretrainedEncoder, pixels: Tensor, *, batch_size: int = 256) -> Tensor:
    """Features (n, d) of uint8 images (n, c, h, w)."""
    parts = [encoder(part.to(torch.float32) / 255.0) for part in pixels.split(batch_size)]
    return torch.cat(parts)
