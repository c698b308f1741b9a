"""A cell of dhzm_multitask: pretrain, fine-tune on all tasks at once and on each alone, measure the features of all."""

import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from carryover._core.errors import InputError
from carryover._core.results import Result
from carryover._core.seeding import derive_generator, derive_seed
from carryover.experiments.digits import write_images
from carryover.experiments.entries.dhzm.digit_attributes import CLASSES, attribute_classes, tertiles
from carryover.experiments.entries.dhzm.grey_images import read_grey, shares
from carryover.experiments.entries.dhzm.joint_finetuning import (
    JointExamples,
    TuneSpec,
    encoded,
    fine_tune,
    joint_errors,
)
from carryover.experiments.rows import Row, estimate_columns
from carryover.measures.dimensions import participation_ratio, shared_dimensions
from carryover.measures.heterogeneity import total_variation_lower_bound
from carryover.measures.rademacher import rademacher_complexity
from carryover.measures.ridge import fit_ridge_path
from carryover.objectives.base import Objective
from carryover.objectives.saved import load_encoder
from carryover.objectives.specs import ObjectiveSpec
from carryover.pretraining.data import load_run_data
from carryover.pretraining.run import pretrain
from carryover.pretraining.specs import DataSpec, PretrainSpec, TrainSpec
from carryover.pretraining.start import new_objective

Source = Literal["digits", "clothes"]
TASKS = tuple(CLASSES)
_SHARES = (0.6, 0.2, 0.2)  # of the digits: pretraining, labelled, pool
_DRAWS = 50


@dataclass(frozen=True)
class MultitaskCell:
    """One encoder and all fine-tunes from it, on all tasks ``together`` and on each ``alone``.

    ``source``: pretrained on the "digits" of the pretraining share, or on "clothes"; ``pretrained`` False: fine-tuned
    from the random start that this pretraining would have.  All but the pretraining is the same for cells of a seed.
    """

    digits: str
    objective: ObjectiveSpec
    train: TrainSpec
    pretrained: bool = True
    source: Source = "digits"
    clothes: str | None = None
    together: TuneSpec = field(default_factory=TuneSpec)
    alone: TuneSpec = field(default_factory=TuneSpec)
    n_pretraining: int = 4000
    n_labels: int = 200
    n_pool: int = 1000
    n_test: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.source not in ("digits", "clothes"):
            raise InputError(f"source must be 'digits' or 'clothes', got {self.source!r}")
        if self.source == "clothes" and self.clothes is None:
            raise InputError("source 'clothes' needs the data set clothes")


@dataclass(frozen=True)
class MultitaskData:
    """``pretraining`` and ``pool`` images (n, 28, 28) without labels; examples to learn from and to test on."""

    pretraining: np.ndarray
    pool: np.ndarray
    labelled: JointExamples
    test: JointExamples


def multitask_data(cell: MultitaskCell) -> MultitaskData:
    """Disjoint digits for pretraining, labels and pool; attributes are cut at tertiles of the pretraining share.

    Raises InputError for data sets that cannot be read.
    """
    images, digits = read_grey(cell.digits, "train")
    generator = derive_generator(cell.seed, "shares")
    first, second, third = shares(len(images), _SHARES, generator)
    cuts = tertiles(images[first])

    def examples(pixels: np.ndarray, codes: np.ndarray) -> JointExamples:
        return JointExamples(pixels, attribute_classes(pixels, codes, cuts))

    test_images, test_digits = read_grey(cell.digits, "test")
    pretraining = images[first]
    if cell.source == "clothes":
        clothes = read_grey(cell.clothes, "train")[0]
        pretraining = clothes[derive_generator(cell.seed, "clothes").permutation(len(clothes))]
    labelled = second[: cell.n_labels]
    return MultitaskData(
        pretraining=pretraining[: cell.n_pretraining],
        pool=images[third[: cell.n_pool]],
        labelled=examples(images[labelled], digits[labelled]),
        test=examples(test_images[: cell.n_test], test_digits[: cell.n_test]),
    )


def run_multitask(cell: MultitaskCell, folder: Path) -> Row:
    """Errors are shares of wrong classes on test digits, by task:

    - ``probe.<task>.error`` of ridge probes on the frozen encoder, ``random.<task>.error`` on its random start
    - ``multi.<task>.error`` of the encoder fine-tuned on all tasks, ``single.<task>.error`` of one on that task alone

    Of the pool's features, their squared length scaled to mean 1: ``frozen.radreg`` and ``multi.radreg`` with the
    outputs of all tasks concatenated, ``single.<task>.radreg`` with those of one;  ``multi.dimensions`` and
    ``single.<task>.dimensions`` (participation ratios), ``singles.dimensions`` of all four encoders' side by side;
    ``multi.share`` and ``single.<task>.share``: which part of these directions the encoder had before (ENSD / PR).
    ``total_variation`` of held-out pretraining images and the pool; ``held_out_loss`` of pretraining.
    """
    data = multitask_data(cell)
    write_images(folder / "images", data.pretraining)
    spec = PretrainSpec(
        data=DataSpec(str(folder / "images"), channels=1),
        objective=cell.objective,
        train=cell.train,
        seed=cell.seed,
    )
    loaded = load_run_data(spec)
    encoder = start = new_objective(spec, loaded)
    row: Row = {}
    if cell.pretrained:
        record = pretrain(spec, folder / "run").record
        row |= estimate_columns("held_out_loss", record["pretraining_loss"]["held_out"])
        encoder = load_encoder(folder / "run").objective
        shutil.rmtree(folder / "run")
    shutil.rmtree(folder / "images")
    for name, one in (("probe", encoder), ("random", start)):
        row |= {f"{name}.{task}.error": error for task, error in probe_errors(one, data).items()}
    variation = total_variation_lower_bound(
        encoded(encoder, loaded.held_out.pixels[:, 0].numpy()),
        encoded(encoder, data.pool),
        generator=derive_generator(cell.seed, "total variation"),
    )
    row |= {"total_variation": variation.estimate.value, "total_variation_low": variation.lower}
    row["frozen.radreg"] = radreg(encoded(encoder, data.pool), sum(CLASSES.values()), seed=cell.seed)
    return row | tuned(encoder, data, cell)


def probe_errors(encoder: Objective, data: MultitaskData) -> dict[str, float]:
    """Errors of a ridge probe for each task."""
    train, test = encoded(encoder, data.labelled.images), encoded(encoder, data.test.images)
    found = {}
    for task, number in CLASSES.items():
        probe = fit_ridge_path(train, data.labelled.targets[task], n_classes=number)
        found[task] = float((probe.predict_scores(test).argmax(axis=1) != data.test.targets[task]).mean())
    return found


def tuned(encoder: Objective, data: MultitaskData, cell: MultitaskCell) -> Row:
    """The columns of the fine-tune on all tasks and of those on one each, from the same encoder and batches."""
    seed = derive_seed(cell.seed, "fine-tuning") % 2**32
    before, features, row = encoded(encoder, data.pool), {}, {}
    for task in (None, *TASKS):
        examples = data.labelled if task is None else data.labelled.only(task)
        spec = cell.together if task is None else cell.alone
        network = fine_tune(encoder, examples, CLASSES, spec=spec, seed=seed)
        after = encoded(network.objective, data.pool)
        name, outputs = (
            ("multi", sum(CLASSES.values())) if task is None else (f"single.{task}", CLASSES[task])
        )
        row |= {
            f"{name}.{key}": value
            for key, value in of_features(before, after, outputs, seed=cell.seed).items()
        }
        errors = joint_errors(network, data.test)
        row |= {f"{name.partition('.')[0]}.{one}.error": error for one, error in errors.items()}
        if task is not None:
            features[task] = after
    return row | {"singles.dimensions": _value(participation_ratio(side_by_side(features)))}


def of_features(
    before: np.ndarray, after: np.ndarray, n_outputs: int, *, seed: int
) -> dict[str, float | None]:
    """RadReg and dimensions of the pool's features after fine-tuning, and how far they are those of ``before``."""
    shared = shared_dimensions(before, after)
    return {
        "radreg": radreg(after, n_outputs, seed=seed),
        "dimensions": _value(participation_ratio(after)),
        "share": shared.stats["share"] if shared.ok else None,
    }


def side_by_side(features: Mapping[str, np.ndarray]) -> np.ndarray:
    """Features of several encoders as columns, each encoder's centred and of one total variance."""
    blocks = []
    for one in features.values():
        centred = one - one.mean(axis=0)
        blocks.append(centred / max(float(np.linalg.norm(centred)), np.finfo(float).tiny))
    return np.concatenate(blocks, axis=1)


def radreg(features: np.ndarray, n_outputs: int, *, seed: int) -> float | None:
    """Rademacher complexity of heads ||W||_F <= 1 with so many outputs, for features of mean squared length 1."""
    found = rademacher_complexity(
        features, n_outputs=n_outputs, n_draws=_DRAWS, generator=derive_generator(seed, "signs")
    )
    return found.normalized.value / math.sqrt(found.n_features) if found.normalized.ok else None


def _value(found: Result) -> float | None:
    return found.value if found.ok else None
