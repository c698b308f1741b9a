"""dhzm_multitask: one pretrained encoder fine-tuned with several heads at once, beside fine-tunes and probes of each.

Digits with four labels each (the digit, its parity, how thick and how slanted it is), encoders pretrained by two
objectives on two sets of images for several numbers of steps, and one that is fine-tuned from its random start.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

from carryover.experiments.compute import Cell, Compute
from carryover.experiments.entries.dhzm.digit_attributes import CLASSES
from carryover.experiments.entries.dhzm.multitask_claims import NOTHING, compare_multitask
from carryover.experiments.entry import Cost, Entry, Part, Size
from carryover.experiments.identity import Contents, cell_id
from carryover.experiments.inputs import Inputs
from carryover.experiments.rows import Row

if TYPE_CHECKING:
    import pandas as pd

    from carryover.experiments.entries.dhzm.multitask_cells import MultitaskCell

SPEC_VERSION = 1
_LABELS = ("objective", "source", "steps", "seed")
_OF_TASK = ("random.{}.error", "probe.{}.error", "multi.{}.error", "single.{}.error", "single.{}.radreg",
            "single.{}.dimensions", "single.{}.share")  # fmt: skip
_OF_ENCODER = ("held_out_loss", "total_variation", "total_variation_low", "frozen.radreg", "multi.radreg",
               "multi.dimensions", "multi.share", "singles.dimensions")  # fmt: skip


@dataclass(frozen=True)
class Scale:
    """What a size is made of: (objective, source, steps) of every encoder, its width, images, steps of fine-tuning."""

    encoders: tuple[tuple[str, str, int], ...]
    width: int = 64
    batch_size: int = 64
    pretraining: int = 4000
    labels: int = 200
    pool: int = 1000
    test: int = 2000
    tune_steps: int = 200


def _grid(steps: Sequence[int]) -> tuple[tuple[str, str, int], ...]:
    return ((NOTHING, "digits", 0), *product(("denoising", "context_encoder"), ("digits", "clothes"), steps))


_SMOKE = Scale(
    ((NOTHING, "digits", 0), ("denoising", "digits", 4)),
    width=16, batch_size=16, pretraining=100, labels=40, pool=60, test=100, tune_steps=4,
)  # fmt: skip
_SMALL = Scale(_grid((200, 600, 2000)))
_FULL = Scale(_grid((2000, 8000, 32_000)), width=256, batch_size=256, pretraining=30_000, labels=1000, pool=5000,
              test=10_000, tune_steps=1000)  # fmt: skip


def _parts(scale: Scale, seeds: Sequence[int], inputs: Inputs) -> tuple[Part, ...]:
    from carryover.experiments.entries.dhzm.multitask_cells import run_multitask

    contents, cells = Contents(), []
    for seed, encoder in product(seeds, scale.encoders):
        spec = _spec(scale, encoder, seed=seed, inputs=inputs)
        ident = cell_id(
            "dhzm multitask", spec, version=SPEC_VERSION, path_keys=("digits", "clothes"), contents=contents
        )
        cells.append(Cell(ident, spec, dict(zip(_LABELS, (*encoder, seed), strict=True))))
    return (Part(tuple(cells), Compute(run_multitask, leaves_folder=True, uses_torch=True)),)


def _spec(scale: Scale, encoder: tuple[str, str, int], *, seed: int, inputs: Inputs) -> "MultitaskCell":
    from carryover.experiments.entries.dhzm.joint_finetuning import TuneSpec
    from carryover.experiments.entries.dhzm.multitask_cells import MultitaskCell
    from carryover.objectives.specs import ObjectiveSpec
    from carryover.pretraining.specs import TrainSpec

    kind, source, steps = encoder
    return MultitaskCell(
        digits=inputs.data_set("mnist"),
        clothes=inputs.data_set("fashion_mnist") if source == "clothes" else None,
        objective=ObjectiveSpec(
            "denoising" if kind == NOTHING else kind,
            encoder="fully_connected",
            width=scale.width,
            decoder_hidden=2 * scale.width,
            noise_std=1.0,
            region=14,
        ),
        train=TrainSpec(
            steps=max(steps, 1),
            batch_size=scale.batch_size,
            learning_rate=2e-3,
            warmup_steps=min(50, steps // 5),
        ),
        pretrained=kind != NOTHING,
        source=source,
        together=TuneSpec(steps=scale.tune_steps, learning_rate=3e-3),
        alone=TuneSpec(steps=scale.tune_steps, learning_rate=1e-3),
        n_pretraining=scale.pretraining,
        n_labels=scale.labels,
        n_pool=scale.pool,
        n_test=scale.test,
        seed=seed,
    )


def _table(rows: Sequence[Row]) -> "pd.DataFrame":
    """A row for each encoder and task; what is of the encoder stands in the row of each of its tasks."""
    import pandas as pd

    points = [
        {key: row[key] for key in _LABELS}
        | {"task": task}
        | {_name(key): row.get(key.format(task)) for key in _OF_TASK}
        | {_name(key): row.get(key) for key in _OF_ENCODER}
        | {"status": row["status"], "reason": row["reason"]}
        for row in rows
        for task in CLASSES
    ]
    numbers = [_name(key) for key in (*_OF_TASK, *_OF_ENCODER)]
    return pd.DataFrame(points).astype(dict.fromkeys(numbers, float))


def _name(key: str) -> str:
    """The table's name of a cell's column, which leaves out the task."""
    return key.replace(".{}", "").replace(".", "_")


DHZM_MULTITASK = Entry(
    name="dhzm_multitask",
    description="One encoder, several heads: fine-tuning on all tasks at once, beside fine-tuning or probing for each.",
    sizes={
        "smoke": Size(partial(_parts, _SMOKE, (0, 1)), Cost(10.0), seeds=(0, 1)),
        "small": Size(partial(_parts, _SMALL, range(12)), Cost(1500.0), seeds=tuple(range(12))),
        "full": Size(partial(_parts, _FULL, range(20)), Cost(4e5, measured=False), seeds=tuple(range(20))),
    },
    table=_table,
    compare=compare_multitask,
    chosen=(
        "Learning rates of fine-tuning, of 1e-3 and 3e-3 the one with the smaller sum of the tasks' errors on seed "
        "100: 3e-3 for all tasks together, 1e-3 for each alone."
    ),
    chosen_on=(100,),
)
