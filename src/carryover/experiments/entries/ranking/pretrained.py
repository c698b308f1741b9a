"""Encoders of a hub from the library's own pretraining, each beside the same network before training."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from carryover.data.locking import sole_writer
from carryover.diagnosis.pretrained import load_pretrained
from carryover.diagnosis.specs import ModelSpec
from carryover.experiments.entries.ranking.specs import START, Hub, Pretrained
from carryover.experiments.identity import Contents, cell_id
from carryover.models.readout import FeatureFunction, average_positions
from carryover.models.records import LoadedModel
from carryover.objectives.building import build_objective
from carryover.objectives.finished import RESULT
from carryover.objectives.saved import PretrainedEncoder
from carryover.objectives.specs import ObjectiveSpec
from carryover.pretraining.folder import PATH_KEYS
from carryover.pretraining.run import pretrain
from carryover.pretraining.specs import SPEC_VERSION, DataSpec, PretrainSpec, TrainSpec

_WAIT_SECONDS = 0.5
_CONVOLUTIONAL = {"encoder": "convolutional", "width": 64, "projection": 64}
_TRAIN = TrainSpec(batch_size=64, learning_rate=2e-3, warmup_steps=20)
RECIPES: Mapping[str, tuple[ObjectiveSpec, TrainSpec]] = {
    "SimCLR, CIFAR-10": (ObjectiveSpec("simclr", **_CONVOLUTIONAL), _TRAIN),
    "MAE, CIFAR-10": (
        ObjectiveSpec("mae", width=192, depth=4, heads=3, decoder_width=96, decoder_depth=1, decoder_heads=3),
        replace(_TRAIN, learning_rate=1e-3),
    ),
    "SimCLR, MNIST": (ObjectiveSpec("simclr", **_CONVOLUTIONAL, least_area=0.5, flip=0.0, grey=0.0), _TRAIN),
    "denoising, MNIST": (
        ObjectiveSpec("denoising", encoder="fully_connected", width=128, decoder_hidden=128, noise_std=1.0),
        _TRAIN,
    ),
}


def pretrained_encoders(hub: Hub, shared: Path) -> Iterator[LoadedModel]:
    """Each encoder of the hub and its start; trained in ``shared`` by whichever cell needs it first."""
    for one in hub.pretrained:
        spec = pretrain_spec(one, hub.seed)
        network, run = load_pretrained(one.recipe, ModelSpec(path=str(_trained(spec, shared))))
        record = run.record
        objective = build_objective(
            record.objective, record.size, mean=record.mean, std=record.std, seed=spec.seed
        )
        start = PretrainedEncoder(objective, record.size).eval().requires_grad_(False)
        read_out = FeatureFunction(start, average_positions, "the encoder's output")
        yield network
        yield replace(network, name=one.recipe + START, module=start, read_out=read_out)


def pretrain_spec(one: Pretrained, seed: int) -> PretrainSpec:
    """The recipe of an encoder, with its data, steps and seed."""
    objective, training = RECIPES[one.recipe]
    return PretrainSpec(
        data=DataSpec(path=one.data, split="train", max_examples=one.max_images),
        objective=objective,
        train=replace(training, steps=one.steps),
        held_out=0.0,
        seed=seed,
    )


def _trained(spec: PretrainSpec, shared: Path) -> Path:
    """The folder of the finished run; one process makes it while others wait."""
    named = cell_id("pretrain", spec, version=SPEC_VERSION, path_keys=PATH_KEYS, contents=Contents())
    folder = shared / named
    folder.mkdir(parents=True, exist_ok=True)
    run = folder / "run"
    while not (run / RESULT).is_file():
        with sole_writer(folder) as mine:
            if mine:
                pretrain(spec, run)
                break
        time.sleep(_WAIT_SECONDS)
    return run
