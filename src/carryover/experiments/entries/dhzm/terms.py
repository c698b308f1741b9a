"""The four terms of DHZM24's bound on small encoders of many kinds, against their downstream error.

The terms: pretraining loss with its generalisation gap and excess, RadReg of the features, the complexity of the head
that a probe needs, total variation between pretraining and target.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from carryover.experiments.compute import Compute
from carryover.experiments.entries.dhzm.claims import TARGETS, by_target
from carryover.experiments.entries.dhzm.conditions import BY_NAME, SMOKE, Condition
from carryover.experiments.entries.dhzm.terms_claims import compare_terms
from carryover.experiments.entry import Cost, Entry, Part, Size, SizeName
from carryover.experiments.inputs import Inputs
from carryover.experiments.rows import Row

if TYPE_CHECKING:
    import pandas as pd

    from carryover.experiments.compute import Cell

_SEEDS: Mapping[SizeName, tuple[int, ...]] = {
    "smoke": (10, 11),
    "small": tuple(range(10, 18)),
    "full": tuple(range(10, 18)),
}
_LABELS = (
    "condition",
    "objective",
    "mask_ratio",
    "mask_strategy",
    "region",
    "share",
    "strength",
    "normalize",
    "pool",
    "seed",
)
_FAMILY = ["objective", "mask_ratio", "mask_strategy", "region", "seed"]
"""Runs that are alike in these have the same pretraining loss on the same images."""
_MEASURED = (
    "probe_accuracy",
    "soft_error",
    "radreg",
    "normalized_radreg",
    "test_radreg",
    "test_normalized_radreg",
)
_COLUMNS = (
    *_LABELS, "target", "status", "reason", "error", "loss", "train_loss", "gap", "excess", "loss_of_the_mean",
    *_MEASURED, "head_norm", "complexity", "total_variation", "total_variation_low", "view_variation",
    "view_variation_low", *(f"start_{name}" for name in _MEASURED),
)  # fmt: skip


def _parts(size: SizeName, inputs: Inputs) -> tuple[Part, ...]:
    from carryover.experiments.entries.dhzm.cells import run_cell

    cells = tuple(_cells(size, inputs))
    return (Part(cells, Compute(run_cell, leaves_folder=True, uses_torch=True)),)


def _cells(size: SizeName, inputs: Inputs) -> Iterator["Cell"]:
    from dataclasses import replace

    from carryover.experiments.entries.dhzm.cells import DhzmCell, labelled_cell
    from carryover.experiments.entries.dhzm.recipes import RECIPES, targets
    from carryover.experiments.identity import Contents
    from carryover.objectives.regularizers import Regularizer

    recipe, contents, target = RECIPES[size], Contents(), targets(inputs, size)[0]
    for name in SMOKE if size == "smoke" else BY_NAME:
        one = BY_NAME[name]
        regularizer = (
            Regularizer("radreg", one.strength, normalize=one.normalize) if one.strength else Regularizer()
        )
        pool = min(one.pool, target.n_pool) if size == "smoke" else one.pool
        changes = _changes(one, recipe.image_size)
        for seed in _SEEDS[size]:
            pretraining = recipe.pretrain(inputs, one.objective, seed=seed, share=one.share, changes=changes)
            cell = DhzmCell(pretraining, (replace(target, n_pool=pool),), regularizer, terms=True)
            labels = {**_labels(one), "pool": pool, "seed": seed, TARGETS: target.name}
            yield labelled_cell(cell, labels, contents)


def _changes(one: Condition, image_size: int) -> Row:
    """What the condition changes of its objective."""
    changes: Row = {}
    if one.mask_ratio is not None:
        changes |= {"mask_ratio": one.mask_ratio, "mask_strategy": one.mask_strategy}
    if one.region is not None:
        changes["region"] = round(one.region * image_size)
    return changes


def _labels(one: Condition) -> Row:
    own = {name: getattr(one, name) for name in _LABELS if name not in ("condition", "pool", "seed")}
    return {"condition": one.name, **own}


def _table(rows: Sequence[Row]) -> "pd.DataFrame":
    """A row for each run.  ``error``: of the probe; ``excess``: over the least loss of the seed's runs of that loss."""
    table = by_target(rows, _COLUMNS)
    table["error"] = 1.0 - table["probe_accuracy"].astype(float)
    losses = table["loss"].astype(float)
    table["excess"] = losses - losses.groupby([table[name] for name in _FAMILY], dropna=False).transform(
        "min"
    )
    return table


DHZM_TERMS = Entry(
    name="dhzm_terms",
    description="Terms of the transfer bound against the downstream error, over objectives, masks, steps and RadReg.",
    sizes={
        "smoke": Size(partial(_parts, "smoke"), Cost(20.0), seeds=_SEEDS["smoke"]),
        "small": Size(partial(_parts, "small"), Cost(2100.0), seeds=_SEEDS["small"]),
        "full": Size(partial(_parts, "full"), Cost(2.5e7, measured=False), seeds=_SEEDS["full"]),
    },
    table=_table,
    compare=compare_terms,
    chosen="Networks, steps, learning rates and strengths of the small size: a few trials on seeds 0 and 1.",
    chosen_on=(0, 1),
)
