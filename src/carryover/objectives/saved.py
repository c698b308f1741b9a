"""The encoder that a pretraining run left, opened again: safetensors and JSON, no code."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from carryover._core.errors import InputError
from carryover._core.strict import build
from carryover.data.hashing import path_hash
from carryover.models.encoders import ImageSize
from carryover.objectives.base import Objective
from carryover.objectives.building import build_objective
from carryover.objectives.specs import ObjectiveSpec

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


@torch.no_grad()
def encode_in_batches(encoder: PretrainedEncoder, pixels: Tensor, *, batch_size: int = 256) -> Tensor:
    """Features (n, d) of uint8 images (n, c, h, w)."""
    parts = [encoder(part.to(torch.float32) / 255.0) for part in pixels.split(batch_size)]
    return torch.cat(parts)
