"""What a run leaves to hand on: its encoder as safetensors and JSON, and in transformers' format where it has one."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from carryover.data.atomic import folder_written_whole
from carryover.data.hash_tables import save_hash_tables
from carryover.data.hashing import path_hash
from carryover.models.encoders import ImageSize
from carryover.models.transformers_models import quiet_transformers
from carryover.objectives.base import Objective
from carryover.objectives.mae import MaskedAutoencoder
from carryover.objectives.saved import EXAMPLE_HASHES, MODEL, SCHEMA, WEIGHTS
from carryover.pretraining.data import RunData
from carryover.pretraining.specs import PretrainSpec


def save_encoder(
    objective: Objective, spec: PretrainSpec, data: RunData, *, folder: Path, run_id: str
) -> Path:
    """Write ``folder/model`` whole: the weights, the hashes of the examples that were seen, encoder.json that names
    both, preprocessing.json; for a masked autoencoder also what ``transformers`` opens.

    The hashes travel with the encoder, so that whoever tests it can tell whether it has seen the test.  Returns the
    folder's path; an older one is replaced.  Raises DiskFullError where no space is left.
    """
    final, size = Path(folder) / MODEL, data.train.size
    with folder_written_whole(final) as partial:
        if isinstance(objective, MaskedAutoencoder):
            with quiet_transformers():
                objective.model.save_pretrained(partial)
            _write_json(partial / "preprocessor_config.json", _image_processor(size, data))
        weights = {name: value.detach().cpu().contiguous() for name, value in objective.state_dict().items()}
        save_file(weights, partial / WEIGHTS)
        save_hash_tables(partial / EXAMPLE_HASHES, seen_examples(spec, data))
        preprocessing = {"rescale": 1 / 255, "mean": data.mean, "std": data.std, **dataclasses.asdict(size)}
        _write_json(partial / "preprocessing.json", preprocessing)
        record = {
            "schema": SCHEMA,
            "run_id": run_id,
            "objective": dataclasses.asdict(spec.objective),
            "regularizer": dataclasses.asdict(spec.regularizer),
            "size": dataclasses.asdict(size),
            "mean": data.mean,
            "std": data.std,
            "weights_sha256": path_hash(partial / WEIGHTS),
            "example_hashes_sha256": path_hash(partial / EXAMPLE_HASHES),
        }
        _write_json(partial / "encoder.json", record)
    return final


def seen_examples(spec: PretrainSpec, data: RunData) -> dict[str, tuple[str, ...]]:
    """Hashes of the images by role.  The downstream pool counts only where the regulariser looks at it: then even at
    strength 0, since batch statistics see it.
    """
    roles = {"train": data.train, "held_out": data.held_out}
    if spec.regularizer.needs_images:
        roles["downstream"] = data.downstream
    return {role: images.hashes for role, images in roles.items() if images is not None}


def _image_processor(size: ImageSize, data: RunData) -> dict[str, Any]:
    """How ``transformers`` prepares images for it: at the run's size, normalised as the run did."""
    return {
        "image_processor_type": "ViTImageProcessor",
        "do_resize": True,
        "size": {"height": size.height, "width": size.width},
        "resample": 3,  # Pillow's number of bicubic
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": data.mean,
        "image_std": data.std,
    }


def _write_json(path: Path, record: dict[str, Any]) -> None:
    path.write_text(json.dumps(record, indent=1), encoding="utf-8")
