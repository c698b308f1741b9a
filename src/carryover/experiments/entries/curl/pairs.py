"""CURL19's tables: negatives, block sizes, and the mean classifier against a trained one, on CIFAR-100's classes.

Two ways to set numbers of negatives and block sizes side by side: the same number of tuples a step, so that more
negatives and larger blocks also see more images; and (about) the same number of images a step, in fewer tuples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from carryover.experiments.compute import Cell, Compute
from carryover.experiments.entries.curl.pairs_claims import compare_pairs
from carryover.experiments.entries.curl.pairs_spec import (
    CLASSIFIERS,
    SPEC_VERSION,
    WHEN,
    PairsCell,
    images_of_tuple,
    result_name,
)
from carryover.experiments.entry import CHOOSING, REPORTED, Cost, Entry, Part, Size
from carryover.experiments.identity import Contents, cell_id
from carryover.experiments.inputs import Inputs
from carryover.experiments.rows import Row

if TYPE_CHECKING:
    import pandas as pd

TUPLES, IMAGES = "tuples", "images"
CONDITIONS = ((1, 1), (4, 1), (10, 1), (1, 2), (1, 5), (1, 10))
"""Negatives and block size."""
RATES = (3e-4, 1e-3, 3e-3)
RATE = 1e-3
"""Of ``RATES`` the one with the highest AVG-2 of the mean classifier, mean of ``TRIED`` on the choosing seed."""
TRIED = ((1, 1), (10, 1), (1, 10))
CHOOSING_SEED = 100


@dataclass(frozen=True)
class Recipe:
    """A size: how many seeds, and what its cells share."""

    seeds: int
    tuples: int = 64
    steps: int = 300
    side: int = 16
    encoder: str = "convolutional"
    width: int = 64
    conditions: tuple[tuple[int, int], ...] = CONDITIONS
    tried: tuple[tuple[int, int], ...] = TRIED
    tasks: tuple[tuple[int, int], ...] = ((2, 100), (10, 20), (100, 1))


SMOKE = Recipe(2, tuples=8, steps=2, width=8, conditions=((1, 1), (10, 1)), tried=(), tasks=((2, 2), (10, 1)))
FULL = Recipe(5, tuples=256, steps=3000, side=32, encoder="resnet20", tasks=((2, 4000), (10, 1000), (100, 1)))
_LABELS = ("matched", "negatives", "block", "learning_rate", "seed", "role")
_COLUMNS = [
    *_LABELS, "tuples", "images_seen", "last_loss", "when", "classifier", "classes", "accuracy", "status", "reason",
]  # fmt: skip


def tuples_a_step(matched: str, negatives: int, block: int, *, tuples: int) -> int:
    """``tuples``, or as many as have no more images than so many of one negative and single examples.

    >>> tuples_a_step("tuples", 10, 1, tuples=64), tuples_a_step("images", 10, 1, tuples=64)
    (64, 16)
    """
    if matched == TUPLES:
        return tuples
    return max(1, tuples * images_of_tuple(1, 1) // images_of_tuple(negatives, block))


def _parts(recipe: Recipe, inputs: Inputs) -> tuple[Part, ...]:
    from carryover.experiments.entries.curl.pairs_cells import run_pairs

    contents = Contents()

    def cell(matched: str, condition: tuple[int, int], *, rate: float, seed: int, role: str) -> Cell:
        negatives, block = condition
        spec = PairsCell(
            inputs.data_set("cifar100"),
            negatives=negatives,
            block=block,
            tuples=tuples_a_step(matched, negatives, block, tuples=recipe.tuples),
            steps=recipe.steps,
            learning_rate=rate,
            encoder=recipe.encoder,
            width=recipe.width,
            side=recipe.side,
            tasks=recipe.tasks,
            seed=seed,
        )
        labels = dict(zip(_LABELS, (matched, negatives, block, rate, seed, role), strict=True))
        ident = cell_id("curl pairs", spec, version=SPEC_VERSION, path_keys=("data",), contents=contents)
        return Cell(ident, spec, labels)

    cells = [
        cell(matched, condition, rate=RATE, seed=seed, role=REPORTED)
        for seed in range(recipe.seeds)
        for matched in (TUPLES, IMAGES)
        for condition in recipe.conditions
    ]
    cells += [
        cell(IMAGES, condition, rate=rate, seed=CHOOSING_SEED, role=CHOOSING)
        for condition in recipe.tried
        for rate in RATES
    ]
    return (Part(tuple(cells), Compute(run_pairs, leaves_folder=True, uses_torch=True)),)


def _table(rows: Sequence[Row]) -> "pd.DataFrame":
    """A row for each run, before and after pretraining, classifier and number of classes."""
    import pandas as pd

    return pd.DataFrame([one for row in rows for one in _points(row)]).reindex(columns=_COLUMNS)


def _points(row: Row) -> list[Row]:
    measured = sorted({int(key.rpartition(".")[2]) for key in row if key.startswith("after.")})
    same = {key: row.get(key) for key in (*_LABELS, "tuples", "images_seen", "last_loss", "status", "reason")}
    return [
        {**same, "when": when, "classifier": classifier, "classes": classes,
         "accuracy": row.get(result_name(when, classifier, classes))}
        for when in WHEN
        for classifier in CLASSIFIERS
        for classes in measured or (2,)
    ]  # fmt: skip


CURL_PAIRS = Entry(
    name="curl_pairs",
    description="Contrastive pretraining on CIFAR-100's classes: negatives, block sizes, mean or trained classifier.",
    sizes={
        "smoke": Size(partial(_parts, SMOKE), Cost(16.0), seeds=tuple(range(SMOKE.seeds))),
        "small": Size(partial(_parts, Recipe(5)), Cost(2200.0), seeds=tuple(range(5))),
        "full": Size(
            partial(_parts, FULL), Cost(1_000_000.0, measured=False), seeds=tuple(range(FULL.seeds))
        ),
    },
    table=_table,
    compare=compare_pairs,
    chosen=(
        f"The learning rate, {RATE:g} of {', '.join(f'{rate:g}' for rate in RATES)} for every run: the highest AVG-2 "
        f"of the mean classifier on seed {CHOOSING_SEED}, mean of k = 1, k = 10 and blocks of 10 in the recipe of "
        "the small size, whose cells are in its sweep."
    ),
    chosen_on=(CHOOSING_SEED,),
)
