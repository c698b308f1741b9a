"""Which score finds the best checkpoint with 20 to 500 labels, on real features of widths 64 to 1,024.

A hub of candidates (two checkpoints and a layer of each, the same with random weights, four encoders of the
library and the same before training, pixels, PCA, random filters) is scored on each target from a few labels.
Truth is the test accuracy of a logistic probe with all labels of the target's pool, which none of the scores is;
beside it (``_at_n``) that of a ridge probe with the very labels that the scores see.  The baseline is the
leave-one-out ridge probe.  Other implementations answer as released (``rivals``), on the first draws where
they are slow.  A candidate without a finite score ranks below the others.

The target is the unit: intervals are Student's over targets, each the mean over its draws of labels.  Hubs of three
seeds take turns.  Targets of one data set are alike in style, which those intervals do not know.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from carryover._core.seeding import derive_generator
from carryover.experiments.compute import Cell, Compute
from carryover.experiments.entries.ranking.claims import compare_ranking
from carryover.experiments.entries.ranking.rivals import RIVALS, installed
from carryover.experiments.entries.ranking.specs import (
    AT_N,
    CANDIDATE,
    EVERY,
    METRICS,
    PATH_KEYS,
    SCORE,
    SPEC_VERSION,
    Checkpoint,
    Hub,
    Pretrained,
    RankingCell,
    Rival,
    Target,
    reason_key,
    release_key,
)
from carryover.experiments.entry import Cost, Entry, Part, Size
from carryover.experiments.identity import Contents, cell_id
from carryover.experiments.inputs import Inputs
from carryover.experiments.rows import Row

if TYPE_CHECKING:
    import pandas as pd

FILES = {"resnet20": "resnet20-12fca82f.th", "resnet56": "resnet56-4bfd9763.th"}
DOMAINS = ("art painting", "cartoon", "photo", "sketch")
CLASSES = 10
"""Of CIFAR-100 in each target; no class is in two."""
_COLUMNS = ("target", "data", "hub_seed", "kind", "hub", "name", "release", "labels", "width", "accuracy")
_MEASURED = (*METRICS, "tau_std_error", *(metric + AT_N for metric in METRICS), "missing", "draws")


@dataclass(frozen=True)
class Scale:
    """How large the experiment is: targets by data set, images of each, draws, and hubs."""

    cifar100: int
    others: tuple[str, ...]
    images: int
    labels: tuple[int, ...]
    draws: int
    rival_draws: Mapping[str, int]
    seeds: tuple[int, ...]
    checkpoints: tuple[str, ...]
    pretrained: tuple[tuple[str, str, int], ...]
    pretrained_images: int


def _parts(scale: Scale, inputs: Inputs) -> tuple[Part, ...]:
    from carryover.experiments.entries.ranking.cells import run_ranking

    rivals = tuple(Rival(name, release, scale.rival_draws[name]) for name, release in installed())
    contents, cells = Contents(), []
    for place, (data, target) in enumerate(_targets(scale, inputs)):
        seed = scale.seeds[place % len(scale.seeds)]
        spec = RankingCell(target, _hub(scale, inputs, seed), scale.labels, scale.draws, rivals)
        ident = cell_id("ranking", spec, version=SPEC_VERSION, path_keys=PATH_KEYS, contents=contents)
        cells.append(Cell(ident, spec, {"target": target.name, "data": data, "hub_seed": seed}))
    return (Part(tuple(cells), Compute(run_ranking, leaves_folder=True, uses_torch=True)),)


def _targets(scale: Scale, inputs: Inputs) -> list[tuple[str, Target]]:
    """The name of the data set, and the target."""
    found = []
    order = derive_generator(0, "classes of CIFAR-100").permutation(100)
    for place in range(scale.cifar100):
        kept = tuple(sorted(order[CLASSES * place : CLASSES * (place + 1)].tolist()))
        target = Target(
            f"CIFAR-100, {place + 1}",
            inputs.data_set("cifar100"),
            label="fine_label",
            column="fine_label",
            kept=kept,
            max_images=scale.images,
        )
        found.append(("cifar100", target))
    for data in scale.others:
        path = inputs.data_set(data)
        if data != "pacs32":
            name = {"usps": "USPS", "fashion_mnist": "Fashion-MNIST"}[data]
            found.append((data, Target(name, path, max_images=scale.images)))
            continue
        for code, domain in enumerate(DOMAINS):
            target = Target(f"PACS, {domain}", path, column="domain", kept=(code,), max_images=scale.images)
            found.append((data, target))
    return found


def _hub(scale: Scale, inputs: Inputs, seed: int) -> Hub:
    files = {name: inputs.checkpoint(FILES[name]) for name in scale.checkpoints}
    return Hub(
        tuple(Checkpoint(name, path) for name, path in files.items() if path is not None),
        tuple(
            Pretrained(recipe, inputs.data_set(data), steps, scale.pretrained_images)
            for recipe, data, steps in scale.pretrained
        ),
        seed,
    )


def _table(rows: Sequence[Row]) -> "pd.DataFrame":
    """A row for each candidate of a target, and for each score and number of labels of a target."""
    import pandas as pd

    lines = [line for row in rows for line in _lines(row)]
    return pd.DataFrame(lines).reindex(columns=[*_COLUMNS, *_MEASURED, "status", "reason"])


def _lines(row: Row) -> list[Row]:
    shared = {key: row[key] for key in ("target", "data", "hub_seed", "status", "reason")}
    if row["status"] != "ok":
        return [shared]
    found: dict[tuple[str, ...], Row] = {}
    for key, value in row.items():
        *place, what = key.split("/")
        if value is None or not place:
            continue
        if place[0] == CANDIDATE:
            named = dict(zip(("kind", "name"), place, strict=True))
        elif place[0] == SCORE:
            named = dict(zip(("kind", "hub", "name", "labels"), place, strict=True))
            named["labels"] = int(named["labels"])
            named["release"] = row.get(release_key(named["name"].partition(".")[0]))
        else:
            continue
        found.setdefault(tuple(place), {**shared, **named})[what] = value
    return [*found.values(), *_not_answered(row, shared)]


def _not_answered(row: Row, shared: Row) -> list[Row]:
    """A line for each score that an installed rival should have given and did not."""
    failed = {name: row.get(reason_key(name)) for name in RIVALS}
    return [
        {
            **shared,
            "kind": SCORE,
            "hub": EVERY,
            "name": f"{name}.{score}",
            "status": "failed",
            "reason": reason,
        }
        for name, reason in failed.items()
        if reason is not None
        for score in RIVALS[name]
    ]


_SMOKE = Scale(
    cifar100=1,
    others=("usps",),
    images=240,
    labels=(20, 100),
    draws=2,
    rival_draws=dict.fromkeys(RIVALS, 1),
    seeds=(0,),
    checkpoints=("resnet20",),
    pretrained=(("denoising, MNIST", "mnist", 20),),
    pretrained_images=400,
)
_SMALL = Scale(
    cifar100=4,
    others=("pacs32", "fashion_mnist", "usps"),
    images=2400,
    labels=(20, 50, 100, 200, 500),
    draws=5,
    rival_draws={"thuml": 5, "tllib": 1, "transformer_ranker": 1},
    seeds=(0, 1, 2),
    checkpoints=tuple(FILES),
    pretrained=(
        ("SimCLR, CIFAR-10", "cifar10", 200),
        ("MAE, CIFAR-10", "cifar10", 150),
        ("SimCLR, MNIST", "mnist", 200),
        ("denoising, MNIST", "mnist", 2000),
    ),
    pretrained_images=10_000,
)
_FULL = replace(
    _SMALL,
    cifar100=10,
    images=6000,
    draws=20,
    rival_draws={"thuml": 20, "tllib": 5, "transformer_ranker": 5},
    seeds=(0, 1, 2, 3, 4),
    pretrained=(
        ("SimCLR, CIFAR-10", "cifar10", 10_000),
        ("MAE, CIFAR-10", "cifar10", 20_000),
        ("SimCLR, MNIST", "mnist", 5000),
        ("denoising, MNIST", "mnist", 20_000),
    ),
    pretrained_images=50_000,
)
RANKING_SMALL_N = Entry(
    name="ranking_small_n",
    description="Which score finds the best checkpoint with 20 to 500 labels, on real features.",
    sizes={
        "smoke": Size(partial(_parts, _SMOKE), Cost(18.0), seeds=_SMOKE.seeds),
        "small": Size(partial(_parts, _SMALL), Cost(1500.0), seeds=_SMALL.seeds),
        "full": Size(partial(_parts, _FULL), Cost(66_000.0, measured=False), seeds=_FULL.seeds),
    },
    table=_table,
    compare=compare_ranking,
    chosen="Nothing was chosen by looking at results; the pace was measured on the hub of seed 1000.",
    chosen_on=(1000,),
)
