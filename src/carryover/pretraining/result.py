"""What a run reached: the pretraining loss on training and held-out images, their gap, and whether it learned."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.numpy import save_file

from carryover._core.results import Estimate
from carryover.data.atomic import written_whole
from carryover.data.hashing import path_hash
from carryover.objectives.base import Objective
from carryover.objectives.finished import HELD_OUT_LOSSES, RESULT, RESULT_SCHEMA
from carryover.objectives.mae import MaskedAutoencoder
from carryover.pretraining.data import RunData
from carryover.pretraining.phase import loss_estimate, measured_losses
from carryover.pretraining.pool_report import radreg_of_pool
from carryover.pretraining.specs import PretrainSpec
from carryover.training.loop import LoopResult

NOTHING_LEARNED = 0.95
"""A masked autoencoder whose held-out loss exceeds this share of predicting each patch's mean has learned nothing."""


def write_result(
    objective: Objective, spec: PretrainSpec, data: RunData, *, found: LoopResult, folder: Path
) -> dict[str, Any]:
    """Measure the pretraining terms and write result.json, with the loss of each held-out image beside it."""
    batch = _measured_batch(objective, spec)
    train_loss = loss_estimate(measured_losses(objective, data.train, seed=spec.seed, batch_size=batch))
    if data.held_out is None:
        values = torch.zeros(0, dtype=torch.float64).numpy()
        held_out = Estimate.missing("not_applicable", "no images were held out (held_out = 0)")
    else:
        values = measured_losses(objective, data.held_out, seed=spec.seed, batch_size=batch)
        held_out = loss_estimate(values)
    with written_whole(folder / HELD_OUT_LOSSES, overwrite=True) as path:
        save_file({"losses": values}, path)
    record = {
        "schema": RESULT_SCHEMA,
        "steps": found.step,
        "pretraining_loss": {
            "train": dataclasses.asdict(train_loss),
            "held_out": dataclasses.asdict(held_out),
        },
        "gap": held_out.value - train_loss.value if held_out.ok and train_loss.ok else None,
        "measured_batch": batch,
        "held_out_losses_sha256": path_hash(folder / HELD_OUT_LOSSES),
        "radreg_of_pool": radreg_of_pool(objective, spec, data),
        "last": dict(found.last),
        "notes": [*found.notes, *_notes_on(spec, data)],
    }
    if isinstance(objective, MaskedAutoencoder) and held_out.ok:
        naive = record["loss_of_predicting_the_mean"] = _loss_of_the_mean(objective, data)
        record["notes"] += _whether_it_learned(held_out.value, naive)
    with written_whole(folder / RESULT, overwrite=True) as path:
        path.write_text(json.dumps(record, indent=1, allow_nan=False), encoding="utf-8")
    return record


def _notes_on(spec: PretrainSpec, data: RunData) -> list[str]:
    notes = [note for images in (data.train, data.downstream) if images is not None for note in images.notes]
    if spec.regularizer.kind != "none" and spec.regularizer.strength == 0.0:
        notes.append(
            f"The strength of the regularizer {spec.regularizer.kind} was 0: it was computed, and changed nothing."
        )
    return notes


def _measured_batch(objective: Objective, spec: PretrainSpec) -> int:
    """A loss that couples the examples of a batch is measured as it was trained: another size is another loss."""
    if objective.couples_batch:
        return spec.train.micro_batch or spec.train.batch_size
    return 256


def _loss_of_the_mean(objective: MaskedAutoencoder, data: RunData) -> float:
    rows = torch.arange(min(len(data.held_out), 1024), device=data.held_out.pixels.device)
    return objective.mean_loss(data.held_out.floats(rows))


def _whether_it_learned(held_out: float, naive: float) -> list[str]:
    if held_out <= NOTHING_LEARNED * naive:
        return []
    return [
        f"The held-out loss {held_out:.3f} is {'above' if held_out > naive else 'near'} {naive:.3f}, that of "
        "predicting every patch's mean: this run has learned next to nothing. Train longer or mask less."
    ]
