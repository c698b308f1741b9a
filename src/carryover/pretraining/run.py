"""A pretraining run in its folder: identity, training with resume, the encoder, and the pretraining loss measured."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from carryover._core.config import spec_as_table, without_keys
from carryover.objectives.finished import RUN_SCHEMA
from carryover.pretraining.data import RunData, load_run_data
from carryover.pretraining.folder import PATH_KEYS, run_folder
from carryover.pretraining.phase import PretrainingLoss
from carryover.pretraining.result import write_result
from carryover.pretraining.saving import save_encoder
from carryover.pretraining.specs import SPEC_VERSION, PretrainSpec
from carryover.pretraining.start import new_objective, scale_notes
from carryover.training.loop import LoopOptions, LoopSpec, train
from carryover.training.processes import Processes, launched
from carryover.training.trackers import check_tracker


@dataclass(frozen=True)
class PretrainOptions:
    """What does not change the result; see :class:`~carryover.training.loop.LoopOptions`.

    ``device`` of one process; of several each takes a GPU of its own, or the CPU where this is "cpu".
    """

    device: str = "cpu"
    checkpoint_every: int = 500
    log_every: int = 20
    progress: Callable[[Mapping[str, Any]], None] = field(default=lambda _: None)
    stop: Callable[[], bool] = field(default=lambda: False)
    tracker: str | None = None


@dataclass(frozen=True)
class PretrainResult:
    """``done`` is False where the run was asked to stop; ``record`` is what result.json holds, None until then.

    Of several processes only the first has a ``record``: it alone measures and writes.
    """

    folder: Path
    done: bool
    step: int
    record: Mapping[str, Any] | None


def pretrain(
    spec: PretrainSpec, folder: str | Path, options: PretrainOptions | None = None
) -> PretrainResult:
    """Pretrain by ``spec`` in ``folder``, going on from where an earlier call with the same spec and data stopped.

    The folder gets run.json, metrics.jsonl, checkpoints/, and in the end model/, result.json and the held-out losses.
    Several processes (``torchrun -m carryover pretrain ...``) call it alike and share one run and one folder.
    Raises InputError for what cannot be used or belongs to another run, NotComputedError for a loss that is not finite.
    """
    options, folder = options or PretrainOptions(), Path(folder).expanduser()
    check_tracker(options.tracker)
    processes = launched(options.device)
    data = load_run_data(spec, device=str(processes.device))
    record = run_record(spec, data)
    objective = new_objective(spec, data)
    with run_folder(folder, record, processes):
        loss = PretrainingLoss(objective, data, spec, processes)
        found = train(
            objective,
            loss,
            penalty=loss.penalty,
            n_examples=len(data.train),
            spec=_loop_spec(spec),
            options=_loop_options(options, folder, run_id=record["id"], processes=processes),
        )
        if not found.done or not processes.first:
            return PretrainResult(folder, found.done, found.step, None)
        objective = new_objective(spec, data)
        objective.load_state_dict(found.weights)
        save_encoder(objective, spec, data, folder=folder, run_id=record["id"])
        found = dataclasses.replace(found, notes=(*found.notes, *scale_notes(spec, data)))
        result = write_result(objective, spec, data, found=found, folder=folder)
    return PretrainResult(folder, True, found.step, result)


def run_record(spec: PretrainSpec, data: RunData) -> dict[str, Any]:
    """What run.json holds: the spec, the hashes of every set of images, and the id of both (paths left out)."""
    hashes = {
        name: images.content_hash
        for name, images in (
            ("train", data.train),
            ("held_out", data.held_out),
            ("downstream", data.downstream),
        )
        if images is not None
    }
    table = dataclasses.asdict(spec)
    named = {
        "spec_version": SPEC_VERSION,
        "spec": without_keys(spec_as_table(spec), PATH_KEYS),
        "hashes": hashes,
    }
    identity = hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()
    return {
        "schema": RUN_SCHEMA,
        "id": identity,
        "spec": table,
        "hashes": hashes,
        "threads": torch.get_num_threads(),
    }


def _loop_options(
    options: PretrainOptions, folder: Path, *, run_id: str, processes: Processes
) -> LoopOptions:
    same = ("checkpoint_every", "log_every", "progress", "stop", "tracker")
    given = {name: getattr(options, name) for name in same}
    return LoopOptions(folder=folder, run_id=run_id, processes=processes, **given)


def _loop_spec(spec: PretrainSpec) -> LoopSpec:
    given = dataclasses.asdict(spec.train)
    given.pop("downstream_batch")
    return LoopSpec(**given, seed=spec.seed)
