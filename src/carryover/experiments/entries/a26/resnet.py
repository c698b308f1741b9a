"""Residual networks on CIFAR-100 whose weights are scaled before pretraining (A26) or after it (LL24).

Protocol, ours.  Classes are drawn from the seed: some are held out, a network learns the others ("pretraining",
with supervision), and is fine-tuned on two-class tasks: pairs of held-out classes ("new") and pairs of classes
it was pretrained on ("subset"), whose images it has not seen.  One cell is one pretraining; a seed's cells share
everything but the scales.

- before: c multiplies all weights, kappa the first third of the blocks; gamma is the scale of the new head.
  There are no normalisation layers, since behind one the scale of a layer would not change the function.
- after: all pretrained weights are multiplied before fine-tuning, in a network with batch norms as LL24's
  has. There a smaller weight means a larger effective learning rate of its layer, and smaller features: the
  affine parts of the batch norms are multiplied as well.

"small" asks for 200 training images of a class at most, so for two of them n ends at 400 where LL24's ends at
1,000; "full" needs all 500.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from carryover.experiments.compute import Cell, Compute
from carryover.experiments.entries.a26.resnet_claims import compare_resnet
from carryover.experiments.entries.a26.resnet_spec import (
    NEW,
    SUBSET,
    Condition,
    Descent,
    NetworkSpec,
    ScaledResNetCell,
)
from carryover.experiments.entry import Cost, Entry, Part, Size
from carryover.experiments.identity import Contents, cell_id
from carryover.experiments.inputs import Inputs
from carryover.experiments.rows import Row

if TYPE_CHECKING:
    import pandas as pd

SPEC_VERSION = 1
BEFORE, AFTER = "before", "after"
RESCALINGS = (1.0, 0.5, 0.25, 0.125, 2.0)
SETTINGS = ((1.0, 1.0), (1.0, 0.25), (0.5, 1.0))
"""Of the arm before pretraining: c and kappa."""
LARGE_READOUT = 8.0
_LABELS = ("arm", "absolute", "relative", "seed")
_WHOLE = ("source_accuracy", "probe_random", "probe_trained", "cancelled_before", "cancelled_after")


@dataclass(frozen=True)
class _Arm:
    """A cell of each arm without its scales, data and seed, and the seeds."""

    cell: ScaledResNetCell
    seeds: tuple[int, ...]


def _parts(before: _Arm, after: _Arm, inputs: Inputs) -> tuple[Part, ...]:
    from carryover.experiments.entries.a26.resnet_cells import run_scaled

    data, contents = inputs.data_set("cifar100"), Contents()
    cells = []
    for seed in before.seeds:
        for c, kappa in SETTINGS:
            readouts = (1.0, LARGE_READOUT) if (c, kappa) == (1.0, 1.0) else (1.0,)
            spec = replace(before.cell, data=data, absolute=c, relative=kappa, readouts=readouts, seed=seed)
            cells.append(_cell(BEFORE, spec, contents))
    for seed in after.seeds:
        cells.append(_cell(AFTER, replace(after.cell, data=data, seed=seed), contents))
    return (Part(tuple(cells), Compute(run_scaled, uses_torch=True)),)


def _cell(arm: str, spec: ScaledResNetCell, contents: Contents) -> Cell:
    ident = cell_id(
        "scaled residual network", spec, version=SPEC_VERSION, path_keys=("data",), contents=contents
    )
    values = (arm, spec.absolute, spec.relative, spec.seed)
    return Cell(ident, spec, dict(zip(_LABELS, values, strict=True)))


def table(rows: Sequence[Row]) -> "pd.DataFrame":
    """A row for each cell and condition; one alone for a cell that failed."""
    import pandas as pd

    points = [point for row in rows for point in _points(row)]
    order = [*_LABELS, "task", "samples", "rescaling", "readout", "start", "accuracy", "train_loss", *_WHOLE]
    return pd.DataFrame(points).reindex(columns=[*order, "status", "reason"])


def _points(row: Row) -> list[Row]:
    own = {key: row.get(key) for key in (*_LABELS, *_WHOLE, "status", "reason")}
    keys = [name.removeprefix("accuracy|") for name in row if name.startswith("accuracy|")]
    found = []
    for key in keys:
        accuracy, reason = row[f"accuracy|{key}"], row.get(f"reason|{key}")
        if accuracy is None and reason is None:
            continue  # a column of other cells
        condition = Condition.parse(key)
        found.append(
            own
            | {"task": condition.kind, "samples": condition.samples, "rescaling": condition.rescaling}
            | {"readout": condition.readout, "start": condition.start, "accuracy": accuracy}
            | {"train_loss": row.get(f"train_loss|{key}")}
            | ({} if reason is None else {"status": "failed", "reason": reason})
        )
    return found or [own]


_SMALL_BEFORE = ScaledResNetCell(
    data="",
    network=NetworkSpec(1, 32, normalized=False),
    pretraining=Descent(0.05, 32, clip_norm=2.0),
    pretraining_steps=2400,
    finetuning=Descent(0.01, 16),
    samples=((10, 80), (50, 100), (100, 100)),
    kinds=(SUBSET, NEW),
    pairs=3,
    reserved=50,
)
_SMALL_AFTER = ScaledResNetCell(
    data="",
    network=NetworkSpec(1, 32),
    pretraining=Descent(0.1, 64),
    pretraining_steps=1000,
    finetuning=Descent(0.03, 16),
    samples=((10, 100), (50, 100), (200, 200), (400, 200)),
    rescalings=RESCALINGS,
    from_scratch=True,
    kinds=(NEW,),
)
_TINY = {"network": NetworkSpec(1, 8), "pretraining_steps": 3, "pairs": 1, "most": 10}
_SMOKE_BEFORE = replace(
    _SMALL_BEFORE, **_TINY | {"network": NetworkSpec(1, 8, normalized=False)}, samples=((4, 2),), reserved=2
)
_SMOKE_AFTER = replace(_SMALL_AFTER, **_TINY, samples=((10, 2), (20, 2)))
_FULL_BEFORE = replace(
    _SMALL_BEFORE,
    network=NetworkSpec(3, 256, normalized=False),
    pretraining=Descent(0.05, 128, clip_norm=2.0),
    pretraining_steps=12_000,
    samples=((10, 200), (50, 400), (200, 800)),
    pairs=4,
    reserved=100,
)
_FULL_AFTER = replace(
    _SMALL_AFTER,
    network=NetworkSpec(3, 256),
    pretraining=Descent(0.1, 128),
    pretraining_steps=12_000,
    samples=((10, 200), (50, 400), (200, 800), (1000, 1600)),
    pairs=1,
)

A26_RESNET = Entry(
    name="a26_resnet",
    description="Residual networks on CIFAR-100 whose weights are scaled before pretraining or after it.",
    sizes={
        "smoke": Size(
            partial(_parts, _Arm(_SMOKE_BEFORE, (0, 1)), _Arm(_SMOKE_AFTER, (0, 1))), Cost(14.0), seeds=(0, 1)
        ),
        "small": Size(
            partial(_parts, _Arm(_SMALL_BEFORE, tuple(range(5))), _Arm(_SMALL_AFTER, tuple(range(7)))),
            Cost(2300.0),
            seeds=tuple(range(7)),
        ),
        "full": Size(
            partial(_parts, _Arm(_FULL_BEFORE, tuple(range(10))), _Arm(_FULL_AFTER, tuple(range(50)))),
            Cost(2.7e7, measured=False),
            seeds=tuple(range(50)),
        ),
    },
    table=table,
    compare=compare_resnet,
    chosen="Learning rates: by the accuracy of networks of scale 1 and, among equals, by how well they fit 10 images. "
    "Steps of fine-tuning: enough for the smallest weights to fit 10 images. kappa = 1/4 and c = 1/2: networks of "
    "either scale pretrain as well as those of scale 1.",
    chosen_on=(1000,),
)
