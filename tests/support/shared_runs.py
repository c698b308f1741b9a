"""Short pretraining runs on random images, by one process or by the two that :func:`in_two_processes` starts.

Started as a program it is one of the two: it makes the runs and leaves what they gave in a folder.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from safetensors.torch import save_file
from torch.distributed.tensor import DTensor

from carryover._core.errors import InputError, NotComputedError
from carryover._core.strict import build
from carryover.objectives.building import build_objective
from carryover.pretraining.data import ImageSet, RunData
from carryover.pretraining.phase import PretrainingLoss
from carryover.pretraining.run import PretrainOptions, pretrain
from carryover.pretraining.specs import PretrainSpec
from carryover.training.loop import LoopOptions, LoopSpec, train
from carryover.training.processes import launched

MAE = {"kind": "mae", "width": 12, "depth": 1, "heads": 2, "decoder_width": 8, "decoder_depth": 1,
       "decoder_heads": 2, "mask_ratio": 0.5}  # fmt: skip
RADREG = {"kind": "radreg", "strength": 0.3, "n_draws": 3, "n_outputs": 2, "normalize": True}
RUNS = {
    "mae": (MAE, {}),
    "denoising": ({"kind": "denoising", "width": 8}, {}),
    "simclr": ({"kind": "simclr", "width": 8, "projection": 6}, {}),
    "curl": ({"kind": "curl", "width": 8, "negatives": 3}, {}),
    "radreg": (MAE, RADREG),
    "radreg l1": ({"kind": "denoising", "width": 8}, {**RADREG, "head": "l1", "n_outputs": 1}),
    "radreg hidden": ({"kind": "denoising", "width": 8}, {**RADREG, "head": "hidden", "ascent_steps": 1}),
    "uniformity": ({"kind": "denoising", "width": 8}, {"kind": "uniformity", "strength": 0.3}),
}
"""Objective and regularizer of each run."""
STEPS = {"mae": 20, "denoising": 20}
"""Steps of a run, 8 where nothing else is said."""


def spec_of(name: str, **train_changes) -> PretrainSpec:
    """Batches of 16 in parts of 8, but for losses that couple a batch; a moving average; clipping."""
    objective, regularizer = RUNS[name]
    parts = {} if objective["kind"] in ("simclr", "curl") else {"micro_batch": 8}
    settings = {"steps": STEPS.get(name, 8), "batch_size": 16, **parts, "learning_rate": 3e-3, "warmup_steps": 3,
                "clip_norm": 1.0, "downstream_batch": 12, "ema_decay": 0.9}  # fmt: skip
    table = {"data": {"path": "random"}, "objective": objective, "regularizer": regularizer,
             "downstream": {"path": "random"}, "train": {**settings, **train_changes}}  # fmt: skip
    return build(PretrainSpec, table)


def random_data() -> RunData:
    generator = torch.Generator().manual_seed(3)
    pixels = torch.randint(0, 256, (80, 1, 8, 8), generator=generator, dtype=torch.uint8)
    pool = torch.randint(0, 200, (30, 1, 8, 8), generator=generator, dtype=torch.uint8)
    sets = (ImageSet(name, part, ()) for name, part in (("train", pixels), ("downstream", pool)))
    source, downstream = sets
    return RunData(source, None, downstream, (0.5,), (0.29,))


def short_run(name: str, options: LoopOptions | None = None, **train_changes):
    """Rows of metrics, one a step, the loop's result, and the network that was trained."""
    spec, data, rows = spec_of(name, **train_changes), random_data(), []
    processes = launched()
    objective = build_objective(spec.objective, data.train.size, mean=data.mean, std=data.std, seed=0)
    given = {**spec.train.__dict__}
    given.pop("downstream_batch")
    options = options or LoopOptions()
    loss = PretrainingLoss(objective, data, spec, processes)
    found = train(
        objective,
        loss,
        penalty=loss.penalty,
        n_examples=len(data.train),
        spec=LoopSpec(**given, seed=spec.seed),
        options=LoopOptions(**{**options.__dict__, "log_every": 1, "progress": rows.append}),
    )
    return rows, found, objective


def in_two_processes(folder: Path) -> None:
    """Start this file twice, as a launcher would, and wait; raises where one of them fails."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2",
              "LOCAL_WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}  # fmt: skip
    started = []
    for rank in range(2):
        with (folder / f"output-{rank}.txt").open("w") as output:
            started.append(subprocess.Popen(
                [sys.executable, "-W", "error", __file__, str(folder)],
                env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                stdout=output, stderr=subprocess.STDOUT,
            ))  # fmt: skip
    codes = [process.wait(timeout=300) for process in started]
    if any(codes):
        said = "\n".join((folder / f"output-{rank}.txt").read_text()[-3000:] for rank in range(2))
        raise RuntimeError(f"processes ended with {codes}:\n{said}")


def refusals(folder: Path) -> dict[str, str]:
    """What is said where a run cannot be made."""
    (folder / "taken").mkdir(exist_ok=True)
    (folder / "taken" / f"{launched().rank}.txt").touch()
    tried = {
        "odd batch": lambda: short_run("mae", batch_size=15, micro_batch=None),
        "odd pool": lambda: short_run("radreg", downstream_batch=13),
        "taken": lambda: pretrain(stored_spec(folder), folder / "taken"),
        "nan": lambda: short_run("denoising", learning_rate=1e30, clip_norm=0.0, weight_decay=0.0),
    }
    said = {}
    for name, run in tried.items():
        try:
            run()
        except (InputError, NotComputedError) as error:
            said[name] = str(error)
    return said


def stored_spec(folder: Path, **changes) -> PretrainSpec:
    """A run on the images of ``folder``, in which RadReg looks at the same ones."""
    source = {"path": str(folder / "images.parquet")}
    train = {"steps": 12, "batch_size": 16, "learning_rate": 3e-3, "downstream_batch": 8, "ema_decay": 0.9}
    table = {"data": source, "downstream": source, "objective": MAE, "regularizer": RADREG, "train": train}
    return build(PretrainSpec, {**table, **changes})


def stopped_and_taken_up(folder: Path) -> dict[str, object]:
    """A run in ``folder/run`` that the second process alone asks to stop after five steps, and then goes on."""
    asked = iter([False] * 4 + [launched().rank == 1] * 100)
    first = pretrain(
        stored_spec(folder), folder / "run", PretrainOptions(stop=lambda: next(asked), log_every=1)
    )
    second = pretrain(stored_spec(folder), folder / "run", PretrainOptions(log_every=1))
    return {"stopped": [first.done, first.step], "done": second.done, "record": second.record}


def by_fsdp(folder: Path) -> dict[str, object]:
    """A run by FSDP, stopped and taken up again; accelerate offers it on GPUs only, so its state is changed here."""
    Accelerator(mixed_precision="no")
    AcceleratorState._shared_state["fsdp_plugin"] = FullyShardedDataParallelPlugin(fsdp_version=2)
    for state in (AcceleratorState, PartialState):
        state._shared_state["distributed_type"] = DistributedType.FSDP
    asked = iter([False] * 2 + [True] * 100)
    options = LoopOptions(folder=folder / "fsdp", stop=lambda: next(asked))
    rows, _, network = short_run("radreg", options)
    more, found, _ = short_run("radreg", LoopOptions(folder=folder / "fsdp"))
    cut = sum(isinstance(weight, DTensor) for weight in network.parameters())
    _keep(found, folder / "fsdp.safetensors")
    return {"losses": [row["loss"] for row in rows + more], "cut": cut, "of": len(list(network.parameters()))}


def _keep(found, path: Path) -> None:
    if found.weights:
        save_file({name: tensor.contiguous() for name, tensor in found.weights.items()}, path)


def main(folder: Path) -> None:
    """Everything one of two processes does; what the tests look at goes to ``facts-<rank>.json``."""
    facts = {}
    for name in RUNS:
        rows, found, _ = short_run(name)
        facts[name] = {"losses": [row["loss"] for row in rows], "weights": len(found.weights)}
        _keep(found, folder / f"{name}.safetensors")
    facts["refusals"] = refusals(folder)
    facts["run"] = stopped_and_taken_up(folder)
    facts["fsdp"] = by_fsdp(folder)
    (folder / f"facts-{launched().rank}.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
