"""What a run leaves to hand on: its encoder as safetensors and JSON, and in transformers' format where it has one."""

import dataclasses
import json
import shutil
import uuid
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from carryover.data.hashing import path_hash
from carryover.objectives.base import Objective
from carryover.objectives.mae import MaskedAutoencoder
from carryover.objectives.saved import MODEL, SCHEMA
from carryover.objectives.specs import ObjectiveSpec
from carryover.pretraining.data import RunData


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


def _write_json(path: Path, record: dict[str, Any]) -> None:
    path.write_text(json.dumps(record, indent=1), encoding="utf-8")
