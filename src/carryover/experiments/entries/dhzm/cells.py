"""A cell of the DHZM24 experiments: one pretraining run, and all that is measured of its encoder before and after."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from carryover._core.checks import check_range
from carryover._core.errors import InputError
from carryover._core.seeding import derive_seed
from carryover.adaptation.network import AdaptedNetwork
from carryover.adaptation.outcome import Split, run_plan
from carryover.adaptation.phases import Budget, Examples, all_scores
from carryover.adaptation.plans import PLANS
from carryover.diagnosis.pretrained import load_pretrained
from carryover.diagnosis.specs import ModelSpec
from carryover.experiments.compute import Cell
from carryover.experiments.entries.dhzm.measures import (
    features_in_pretraining,
    features_of,
    probe_columns,
    radreg_columns,
    term_columns,
)
from carryover.experiments.entries.dhzm.targets import (
    POOL_IMAGE,
    Downstream,
    Drawn,
    Labelled,
    draw,
    forget,
    write_pool,
)
from carryover.experiments.identity import Contents, cell_id
from carryover.experiments.rows import Row
from carryover.models.records import LoadedModel
from carryover.models.seeding import seeded_torch
from carryover.objectives.building import build_objective
from carryover.objectives.finished import FinishedRun, open_run
from carryover.objectives.regularizers import Regularizer
from carryover.pretraining.data import load_run_data
from carryover.pretraining.folder import PATH_KEYS
from carryover.pretraining.run import PretrainOptions, pretrain
from carryover.pretraining.specs import DataSpec, PretrainSpec

COMMAND, SPEC_VERSION = "dhzm", 1
PLAN = "lp_ft"
"""Fine-tuning of all weights from the ridge probe's head: from a head of zeros so few steps do not suffice."""
BEFORE = "start_"
"""What columns of the encoder before pretraining begin with."""


@dataclass(frozen=True)
class DhzmCell:
    """One pretraining run and the targets that its encoder is measured on, all drawn from ``pretrain.seed``.

    A ``regularizer`` that looks at downstream images looks at the pool of the one target.  ``tune_steps``: of
    fine-tuning on the labels, 0: none; ``tune_start``: also from the weights before pretraining.  ``terms``: also
    measure the terms of the transfer bound.
    """

    pretrain: PretrainSpec
    targets: tuple[Downstream, ...]
    regularizer: Regularizer = field(default_factory=Regularizer)
    tune_steps: int = 0
    tune_start: bool = False
    terms: bool = False

    def __post_init__(self) -> None:
        check_range("tune_steps", self.tune_steps, 0, float("inf"))
        if self.pretrain.downstream is not None or self.pretrain.regularizer != Regularizer():
            raise InputError("the cell gives regularizer and pool: leave them out of pretrain")
        names = [target.name for target in self.targets]
        if not names or len(set(names)) < len(names):
            raise InputError(f"targets must be at least one, with names of their own, got {names}")
        if self.regularizer.needs_images and len(names) > 1:
            raise InputError(
                f"regularizer {self.regularizer.kind!r} looks at the pool of one target, got {len(names)}"
            )


@dataclass(frozen=True)
class _Encoders:
    """The run's encoder as it was left, or with the weights that it started from; each call loads a new one."""

    run: FinishedRun
    folder: Path
    start: Mapping[str, torch.Tensor]
    device: str

    def load(self, when: str) -> LoadedModel:
        model, _ = load_pretrained("encoder", ModelSpec(path=str(self.folder)))
        if when == BEFORE:
            model.module.objective.load_state_dict(self.start)
        model.module.to(self.device)
        return model


def run_cell(cell: DhzmCell, folder: Path) -> Row:
    """Losses of pretraining, and for each target, under its name, what the encoder reaches; "start_": before it.

    ``folder`` is left without the run, whose encoder nobody needs any more.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    spec, pool = cell.pretrain, None
    if cell.regularizer.needs_images:
        pool = write_pool(cell.targets[0], folder, seed=spec.seed)
        images = DataSpec(str(pool), image=POOL_IMAGE, channels=spec.data.channels)
        spec = replace(spec, downstream=images)
    spec = replace(spec, regularizer=cell.regularizer)
    record = pretrain(spec, folder / "run", PretrainOptions(device=device)).record
    encoders = _encoders(folder / "run", seed=spec.seed, device=device)
    row = _pretraining_columns(record)
    source = load_run_data(spec).held_out.pixels if cell.terms else None
    for target in cell.targets:
        drawn = draw(target, encoders.run.record.size, seed=spec.seed)
        for when in (BEFORE, ""):
            found = _measured(cell, encoders, when, drawn=drawn, source=source)
            row |= {f"{target.name}.{when}{key}": value for key, value in found.items()}
    if pool is not None:
        forget(pool)
    shutil.rmtree(folder / "run")
    return row


def _encoders(folder: Path, *, seed: int, device: str) -> _Encoders:
    run = open_run(folder)
    record = run.record
    start = build_objective(record.objective, record.size, mean=record.mean, std=record.std, seed=seed)
    return _Encoders(run, folder, start.state_dict(), device)


def _pretraining_columns(record: Mapping[str, Any]) -> Row:
    losses = record["pretraining_loss"]
    row: Row = {"steps": record["steps"], "loss": losses["held_out"]["value"]}
    row |= {"train_loss": losses["train"]["value"], "gap": record["gap"]}
    return {**row, "loss_of_the_mean": record.get("loss_of_predicting_the_mean")}


def _measured(
    cell: DhzmCell, encoders: _Encoders, when: str, *, drawn: Drawn, source: torch.Tensor | None
) -> Row:
    """Probe and RadReg of the encoder; where they are wanted, terms (after pretraining only) and fine-tuning.

    RadReg is of the pool and, with the terms, of the test images: as many in every cell, and no regulariser saw them.
    """
    seed = cell.pretrain.seed
    objective = encoders.load(when).module.objective
    parts = {"labels": drawn.labels, "validation": drawn.validation, "test": drawn.test}
    features = {name: features_of(objective, part.pixels) for name, part in parts.items()}
    row, path = probe_columns(features, drawn)
    row |= radreg_columns(objective, drawn.pool, seed=seed)
    if cell.terms:
        of_test = radreg_columns(objective, drawn.test.pixels, seed=seed)
        row |= {f"test_{key}": value for key, value in of_test.items()}
    if source is not None and when != BEFORE:
        features["source"] = features_of(objective, source)
        features["view"] = features_in_pretraining(objective, source, seed=seed)
        row |= term_columns(features, path, n_classes=drawn.n_classes, seed=seed)
    if cell.tune_steps and (cell.tune_start or when != BEFORE):
        row |= _tuned(cell, encoders, when, drawn=drawn, width=features["labels"].shape[1])
    return row


def _tuned(cell: DhzmCell, encoders: _Encoders, when: str, *, drawn: Drawn, width: int) -> Row:
    """Accuracy on test and validation rows after fine-tuning on the labels by ``PLAN``."""
    parts = {"train": drawn.labels, "validation": drawn.validation, "test": drawn.test}
    split = Split(**{name: _examples(part, encoders.device) for name, part in parts.items()})
    seed = derive_seed(cell.pretrain.seed, "fine-tuning") % 2**32

    def make() -> AdaptedNetwork:
        with seeded_torch(seed):
            network = AdaptedNetwork(encoders.load(when), width=width, n_outputs=drawn.n_classes)
        return network.to(encoders.device)

    budget = Budget(steps=cell.tune_steps, seed=seed)
    found = run_plan(make, PLANS[PLAN], split, budget=budget)
    scores = all_scores(found.network, split.validation.images).cpu().numpy()
    right = scores.argmax(axis=1) == drawn.validation.codes
    return {"tuned_accuracy": found.measures["accuracy"].value, "tuned_validation": float(np.mean(right))}


def _examples(part: Labelled, device: str) -> Examples:
    return Examples(part.pixels.to(device).to(torch.float32) / 255.0, torch.from_numpy(part.codes).to(device))


def labelled_cell(cell: DhzmCell, labels: Row, contents: Contents) -> Cell:
    """The cell of a sweep, with ``labels`` as its parameters; data sets enter its id by their content."""
    ident = cell_id(COMMAND, cell, version=SPEC_VERSION, path_keys=PATH_KEYS, contents=contents)
    return Cell(ident, cell, labels)
