"""Does RadReg help a masked autoencoder?  Five regularisers over strengths, by probe and by fine-tuning.

Each regulariser has the same number of strengths; that of the best mean validation accuracy over the choosing seeds is
compared on the reported seeds, for each target and way of adapting on its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from carryover.experiments.compute import Compute
from carryover.experiments.entries.dhzm.claims import TARGETS, by_target
from carryover.experiments.entries.dhzm.radreg_claims import (
    ADAPTATIONS,
    FROBENIUS,
    L2,
    NONE,
    RADREG,
    UNIFORMITY,
    compare_radreg,
)
from carryover.experiments.entry import CHOOSING, REPORTED, Cost, Entry, Part, Size, SizeName
from carryover.experiments.inputs import Inputs
from carryover.experiments.rows import Row

if TYPE_CHECKING:
    import pandas as pd

    from carryover.experiments.compute import Cell

OF_IMAGES = (RADREG, FROBENIUS, UNIFORMITY)
_STRENGTHS: Mapping[str, tuple[float, ...]] = {
    NONE: (0.0,),
    L2: (1e-6, 1e-5, 1e-4, 1e-3),
    RADREG: (1e-4, 1e-3, 1e-2, 1e-1),
    FROBENIUS: (1e-4, 1e-3, 1e-2, 1e-1),
    UNIFORMITY: (1e-3, 1e-2, 1e-1, 1.0),
}
"""Of small trials: at the largest the penalty rules, at the least it hardly acts."""
_BOTH = ("probe_accuracy", "probe_validation", "tuned_accuracy", "tuned_validation", "soft_error", "radreg",
         "normalized_radreg")  # fmt: skip
_COLUMNS = (
    "regularizer", "strength", "role", "seed", "target", "status", "reason", "chosen_for_probe", "chosen_for_tuned",
    "loss", "train_loss", "gap", "loss_of_the_mean", *_BOTH, *(f"start_{name}" for name in _BOTH),
)  # fmt: skip


@dataclass(frozen=True)
class _Grid:
    """Seeds to choose on, seeds that are reported, and how many of the strengths are tried."""

    choosing: tuple[int, ...]
    reported: tuple[int, ...]
    n_strengths: int = 4

    def strengths(self, regularizer: str) -> tuple[float, ...]:
        return _STRENGTHS[regularizer][-self.n_strengths :]

    @property
    def seeds(self) -> dict[int, str]:
        return {**dict.fromkeys(self.choosing, CHOOSING), **dict.fromkeys(self.reported, REPORTED)}


_GRIDS: Mapping[SizeName, _Grid] = {
    "smoke": _Grid((0,), (10, 11), 1),
    "small": _Grid((0, 1, 2), (10, 11, 12, 13, 14)),
    "full": _Grid((0, 1, 2), (10, 11, 12, 13, 14)),
}


def _parts(size: SizeName, inputs: Inputs) -> tuple[Part, ...]:
    from carryover.experiments.entries.dhzm.cells import run_cell

    cells = tuple(_cells(size, inputs))
    return (Part(cells, Compute(run_cell, leaves_folder=True, uses_torch=True)),)


def _cells(size: SizeName, inputs: Inputs) -> Iterator["Cell"]:
    """What looks at no downstream image is pretrained once for all targets."""
    from carryover.experiments.entries.dhzm.cells import DhzmCell, labelled_cell
    from carryover.experiments.entries.dhzm.recipes import RECIPES, targets
    from carryover.experiments.identity import Contents
    from carryover.objectives.regularizers import Regularizer

    recipe, grid, contents = RECIPES[size], _GRIDS[size], Contents()
    every = targets(inputs, size)[: 1 if size == "smoke" else None]
    for kind in (NONE, L2, *OF_IMAGES):
        sets = [(one,) for one in every] if kind in OF_IMAGES else [every]
        for measured in sets:
            for strength in grid.strengths(kind):
                for seed, role in grid.seeds.items():
                    cell = DhzmCell(
                        recipe.pretrain(inputs, "mae", seed=seed),
                        measured,
                        Regularizer(kind, strength),
                        tune_steps=recipe.tune_steps,
                        tune_start=kind == NONE,
                    )
                    labels = {"regularizer": kind, "strength": strength, "role": role, "seed": seed}
                    names = ", ".join(target.name for target in measured)
                    yield labelled_cell(cell, {**labels, TARGETS: names}, contents)


def _table(rows: Sequence[Row]) -> "pd.DataFrame":
    """A row for each cell and target; fine-tuning from random weights was done in the cells without regulariser."""
    table = by_target(rows, _COLUMNS)
    scratch = ["start_tuned_accuracy", "start_tuned_validation"]
    plain = table[table["regularizer"] == NONE].set_index(["target", "seed"])[scratch]
    table[scratch] = plain.reindex(list(zip(table["target"], table["seed"], strict=True))).to_numpy()
    for way in ADAPTATIONS:
        table[f"chosen_for_{way}"] = _is_chosen(table, way)
    return table


def _is_chosen(table: "pd.DataFrame", way: str) -> np.ndarray:
    """Whether a row has the strength of the best mean validation accuracy over the choosing seeds; ties: the least."""
    chosen = np.zeros(len(table), dtype=bool)
    choosing = table[table["role"] == CHOOSING]
    for (target, kind), part in choosing.groupby(["target", "regularizer"], sort=False):
        means = part.astype({f"{way}_validation": float}).groupby("strength")[f"{way}_validation"]
        of_strength = means.agg(lambda values: values.mean(skipna=False)).dropna()
        if len(of_strength):
            same = (table["target"] == target) & (table["regularizer"] == kind)
            chosen |= (same & (table["strength"] == of_strength.idxmax())).to_numpy()
    return chosen


DHZM_RADREG = Entry(
    name="dhzm_radreg",
    description="Masked autoencoders with RadReg, three other penalties or none, by linear probe and by fine-tuning.",
    sizes={
        "smoke": Size(partial(_parts, "smoke"), Cost(20.0), seeds=_GRIDS["smoke"].reported),
        "small": Size(partial(_parts, "small"), Cost(2900.0), seeds=_GRIDS["small"].reported),
        "full": Size(partial(_parts, "full"), Cost(5e7, measured=False), seeds=_GRIDS["full"].reported),
    },
    table=_table,
    compare=compare_radreg,
    chosen="The strength of each regulariser, among as many for each: the best mean validation accuracy over the "
    "choosing seeds, for each target and way of adapting on its own. Network, steps, learning rates and the strengths "
    "that the small size tries: a few trials on seeds 0 and 1.",
    chosen_on=(0, 1, 2),
)
