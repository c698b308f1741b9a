"""A cell of dhzm_dense: pretrain, then measure patches and whole images with the encoder and with its random start."""

import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from carryover._core.errors import NotComputedError
from carryover._core.seeding import derive_generator
from carryover.data.feature_writer import save_features
from carryover.diagnosis.pipeline import diagnose
from carryover.experiments.digits import write_images
from carryover.experiments.entries.dhzm.dense_data import DenseCell, DenseData, dense_data
from carryover.experiments.entries.dhzm.digit_scenes import (
    Patches,
    chosen_patches,
    inked_patches,
    patch_targets,
)
from carryover.experiments.entries.dhzm.patch_features import image_features
from carryover.experiments.rows import Row, estimate_columns
from carryover.measures.heterogeneity import total_variation_lower_bound
from carryover.measures.rademacher import rademacher_complexity
from carryover.measures.ridge import fit_ridge_path
from carryover.objectives.base import Objective
from carryover.objectives.saved import load_encoder
from carryover.pretraining.data import load_run_data
from carryover.pretraining.run import pretrain
from carryover.pretraining.specs import DataSpec, PretrainSpec
from carryover.pretraining.start import new_objective

WHENS = ("random", "trained")
TASKS = ("segmentation", "offset", "whole")
_DRAWS = 50
_BACKGROUND = 2  # patches of it that an image gives: about as many as a digit's class has
_MEASURE = {"n_draws": 8, "n_partitions": 4, "curve_rows": 1000}


@dataclass(frozen=True)
class Rows:
    """Features (n, d), the image that each row is of, and the targets where there are labels."""

    features: np.ndarray
    image: np.ndarray
    targets: np.ndarray | None = None


@dataclass(frozen=True)
class TaskRows:
    """What a task is measured on; ``source`` rows are of held-out pretraining images."""

    train: Rows
    test: Rows
    pool: Rows
    source: Rows


def run_dense(cell: DenseCell, folder: Path) -> Row:
    """Columns ``<random or trained>.<task>.<measure>``, and the held-out pretraining loss of the trained encoder.

    - ``error``: for "segmentation" (patches) and "whole" (images) the share of wrong classes of a ridge probe, for
      "offset" the 1 - R2 that ``diagnose`` reports of a features file
    - ``radreg``: Rademacher complexity of linear heads on the unlabelled pool, for features whose squared length has
      mean 1, so that neither scale nor width enters (of the offset: that of the diagnosis, on labelled rows)
    - ``total_variation`` of pretraining and pool rows, as far as a linear test separates them; ``..._low`` the limit
    """
    data = dense_data(cell)
    write_images(folder / "images", data.pretraining)
    spec = pretrain_spec(cell, folder / "images")
    record = pretrain(spec, folder / "run").record
    loaded = load_run_data(spec)
    held_out = loaded.held_out.pixels[:, 0].numpy()
    encoders = {"random": new_objective(spec, loaded), "trained": load_encoder(folder / "run").objective}
    row: Row = estimate_columns("held_out_loss", record["pretraining_loss"]["held_out"])
    offsets = {}
    for when, encoder in encoders.items():
        tasks = task_rows(encoder, data, held_out, cell=cell)
        for task in ("segmentation", "whole"):
            row |= {f"{when}.{task}.{key}": value for key, value in measured(tasks[task], cell.seed).items()}
        offsets[when] = tasks["offset"]
    for when, values in diagnosed(offsets, folder / "features", seed=cell.seed).items():
        row |= {f"{when}.offset.{key}": value for key, value in values.items()}
    for name in ("images", "run", "features"):
        shutil.rmtree(folder / name)
    return row


def pretrain_spec(cell: DenseCell, images: Path) -> PretrainSpec:
    """The pretraining of a cell on the images in a folder, at the canvas's size."""
    return PretrainSpec(
        data=DataSpec(str(images), channels=1),
        objective=cell.objective,
        train=cell.train,
        image_size=cell.layout.side,
        seed=cell.seed,
    )


def task_rows(
    encoder: Objective, data: DenseData, held_out: np.ndarray, *, cell: DenseCell
) -> dict[str, TaskRows]:
    """The rows of every task, by its name; which patches they are depends on the images and the seed alone."""
    grid = cell.layout.grid
    pretraining = image_features(encoder, held_out, grid=grid)
    patches, single = {}, {}
    for part in ("labelled", "pool", "test"):
        scenes, ones = getattr(data, part), getattr(data, f"whole_{part}")
        patches[part] = (image_features(encoder, scenes.images, grid=grid).patches, scenes)
        pooled = image_features(encoder, ones.images, grid=grid).pooled
        single[part] = Rows(pooled, np.arange(len(pooled)), ones.classes[:, 0])

    def of_patches(task: str, n: int | None) -> TaskRows:
        rows = {
            part: _patch_rows(
                found[:n], scenes.images[:n], patch_targets(scenes, cell.layout), task=task, cell=cell
            )
            for part, (found, scenes) in patches.items()
        }
        source = _patch_rows(pretraining.patches, held_out, None, task=task, cell=cell)
        return TaskRows(rows["labelled"], rows["test"], rows["pool"], source)

    everything = Rows(pretraining.pooled, np.arange(len(pretraining.pooled)))
    return {
        "segmentation": of_patches("segmentation", None),
        "offset": of_patches("offset", cell.sizes.diagnosed),
        "whole": TaskRows(single["labelled"], single["test"], single["pool"], everything),
    }


def _patch_rows(
    features: np.ndarray, images: np.ndarray, targets: Patches | None, *, task: str, cell: DenseCell
) -> Rows:
    """Inked patches, for the segmentation with a few of background among them."""
    background = _BACKGROUND if task == "segmentation" else 0
    generator = derive_generator(cell.seed, "patches", task)
    image, patch = chosen_patches(inked_patches(images, cell.layout), generator, background=background)
    known = None
    if targets is not None:
        known = (targets.classes if task == "segmentation" else targets.offsets)[image, patch]
    return Rows(features[image, patch], image, known)


def measured(task: TaskRows, seed: int) -> dict[str, float]:
    """Error of the ridge probe (classes), and the terms of the bound, by the names of the columns."""
    n_classes = int(max(task.train.targets.max(), task.test.targets.max())) + 1
    probe = fit_ridge_path(task.train.features, task.train.targets, n_classes=n_classes)
    found = probe.predict_scores(task.test.features).argmax(axis=1)
    complexity = rademacher_complexity(
        task.pool.features, n_outputs=n_classes, n_draws=_DRAWS, generator=derive_generator(seed, "signs")
    )
    variation = total_variation_lower_bound(
        task.source.features,
        task.pool.features,
        source_groups=task.source.image,
        groups=task.pool.image,
        generator=derive_generator(seed, "total variation"),
    )
    return {
        "error": float((found != task.test.targets).mean()),
        "radreg": complexity.normalized.value / math.sqrt(complexity.n_features),
        "total_variation": variation.estimate.value,
        "total_variation_low": variation.lower,
    }


def diagnosed(tasks: Mapping[str, TaskRows], folder: Path, *, seed: int) -> dict[str, dict[str, float]]:
    """By encoder what ``diagnose`` reports of features files with a number to regress on, a scene a group."""
    models = [{"name": name, **_features_files(task, folder / name)} for name, task in tasks.items()]
    config = {"models": models, "target": {"task": "regression"}, "measure": _MEASURE, "seed": seed}
    return {one["name"]: _reported(one) for one in diagnose(config).record["models"]}


def _features_files(task: TaskRows, folder: Path) -> dict[str, str]:
    """The files of one encoder, by the keys that a config names them with."""
    parts = {"features": task.train, "test_features": task.test, "pretraining_features": task.source}
    folder.mkdir(parents=True, exist_ok=True)
    return {
        key: str(
            save_features(
                folder / f"{key}.npz", rows.features, labels=rows.targets, groups=rows.image, overwrite=True
            )
        )
        for key, rows in parts.items()
    }


def _reported(model: Mapping[str, Any]) -> dict[str, float | None]:
    """The columns of one model of the record; NotComputedError where the diagnosis has no R2 of it."""
    if model["status"] != "ok" or model["probe"]["r2"]["value"] is None:
        reason = model["reason"] or model["probe"]["r2"]["reason"]
        raise NotComputedError(f"the diagnosis of {model['name']!r} has no R2: {reason}")
    terms = model["terms"]
    return {
        "error": 1.0 - model["probe"]["r2"]["value"],
        "radreg": terms["rademacher"]["normalized"] / math.sqrt(model["n_features"]),
        "total_variation": terms["total_variation"]["value"],
        "total_variation_low": (terms["total_variation"]["interval"] or [None])[0],
    }
