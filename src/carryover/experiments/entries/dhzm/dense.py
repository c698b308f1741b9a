"""dhzm_dense: does transfer to patches of scenes follow the same terms as transfer to whole images?

Encoders of several objectives, pretraining images and numbers of steps, each beside its own random start, on three
tasks: the class of every patch of scenes composed of digits, where the centre of a patch's digit is (a features file
through ``diagnose``), and the digit of an image with one.  All features are of whole images: pretraining sees masked
or noisy ones, whose total variation from whole ones says nothing about the domain.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from carryover.experiments.compute import Cell, Compute
from carryover.experiments.entries.dhzm.dense_claims import compare_dense
from carryover.experiments.entry import Cost, Entry, Part, Size
from carryover.experiments.identity import Contents, cell_id
from carryover.experiments.inputs import Inputs
from carryover.experiments.rows import Row

if TYPE_CHECKING:
    import pandas as pd

    from carryover.experiments.entries.dhzm.dense_data import DenseCell
    from carryover.experiments.entries.dhzm.digit_scenes import Layout
    from carryover.objectives.specs import ObjectiveSpec

SPEC_VERSION = 1
TASKS = ("segmentation", "offset", "whole")
_MEASURES = ("error", "radreg", "total_variation", "total_variation_low")
_LABELS = ("objective", "source", "steps", "seed")


@dataclass(frozen=True)
class Scale:
    """What a size is made of: (objective, source, steps) of every encoder, width and depth, images, and batches."""

    encoders: tuple[tuple[str, str, int], ...]
    width: int = 64
    depth: int = 2
    batch_size: int = 64
    pretraining: int = 4000
    labelled: int = 300
    whole: int = 600
    diagnosed: int = 100


def _grid(steps: Sequence[int], sources: Sequence[str], objective: str) -> tuple[tuple[str, str, int], ...]:
    return tuple((objective, source, number) for source in sources for number in steps)


_SOURCES = ("scenes", "singles", "clothes")
_STEPS, _LONG = (150, 450, 1200), (1000, 4000, 16000)
_SMOKE = Scale(
    (("mae", "scenes", 4), ("denoising", "singles", 4)),
    width=16,
    depth=1,
    batch_size=16,
    pretraining=200,
    labelled=30,
    whole=60,
    diagnosed=20,
)
_SMALL = Scale(
    (
        *_grid(_STEPS, _SOURCES, "mae"),
        *_grid(_STEPS, ("scenes",), "denoising"),
        ("context_encoder", "scenes", 450),
    )
)
_FULL = Scale(
    (*_grid(_LONG, _SOURCES, "mae"), *_grid(_LONG, _SOURCES, "denoising"), *_grid(_LONG, _SOURCES, "context_encoder")),
    width=128,
    depth=6,
    batch_size=256,
    pretraining=30_000,
    labelled=1000,
    whole=2000,
    diagnosed=500,
)  # fmt: skip


def _parts(scale: Scale, seeds: Sequence[int], inputs: Inputs) -> tuple[Part, ...]:
    from carryover.experiments.entries.dhzm.dense_cells import run_dense

    contents, cells = Contents(), []
    for seed in seeds:
        for encoder in scale.encoders:
            spec = _spec(scale, encoder, seed=seed, inputs=inputs)
            labels = dict(zip(_LABELS, (*encoder, seed), strict=True))
            ident = cell_id(
                "dhzm dense", spec, version=SPEC_VERSION, path_keys=("digits", "clothes"), contents=contents
            )
            cells.append(Cell(ident, spec, labels))
    return (Part(tuple(cells), Compute(run_dense, leaves_folder=True, uses_torch=True)),)


def _spec(scale: Scale, encoder: tuple[str, str, int], *, seed: int, inputs: Inputs) -> "DenseCell":
    from carryover.experiments.entries.dhzm.dense_data import DenseCell, DenseSizes
    from carryover.experiments.entries.dhzm.digit_scenes import Layout
    from carryover.pretraining.specs import TrainSpec

    kind, source, steps = encoder
    layout = Layout()
    return DenseCell(
        digits=inputs.data_set("mnist"),
        clothes=inputs.data_set("fashion_mnist") if source == "clothes" else None,
        objective=_objective(scale, kind, layout),
        train=TrainSpec(
            steps=steps,
            batch_size=scale.batch_size,
            learning_rate=3e-3,
            warmup_steps=min(50, steps // 5),
        ),
        source=source,
        sizes=DenseSizes(
            pretraining=scale.pretraining,
            labelled=scale.labelled,
            pool=scale.labelled,
            test=scale.labelled,
            diagnosed=scale.diagnosed,
            whole_labelled=scale.whole,
            whole_pool=scale.whole,
            whole_test=2 * scale.whole,
        ),
        layout=layout,
        seed=seed,
    )


def _objective(scale: Scale, kind: str, layout: "Layout") -> "ObjectiveSpec":
    from carryover.objectives.specs import ObjectiveSpec

    if kind != "mae":
        return ObjectiveSpec(
            kind, width=scale.width // 2, decoder_hidden=128, noise_std=1.0, region=layout.side // 2
        )
    return ObjectiveSpec(
        "mae",
        width=scale.width,
        depth=scale.depth,
        heads=4,
        patch_size=layout.patch,
        decoder_width=32,
        decoder_depth=1,
        mask_ratio=0.5,
        normalize_patches=False,
    )


def _table(rows: Sequence[Row]) -> "pd.DataFrame":
    """A row for each encoder and task.

    ``random_...``: of its random start;  ``excess``: held-out pretraining loss above the least of the encoders of that
    objective, source and seed, which were measured on the same images and masks.
    """
    import pandas as pd

    points = [
        {key: row[key] for key in _LABELS}
        | {"task": task, "held_out_loss": row.get("held_out_loss")}
        | {key: row.get(f"trained.{task}.{key}") for key in _MEASURES}
        | {f"random_{key}": row.get(f"random.{task}.{key}") for key in _MEASURES}
        | {"status": row["status"], "reason": row["reason"]}
        for row in rows
        for task in TASKS
    ]
    numbers = ["held_out_loss", *_MEASURES, *(f"random_{key}" for key in _MEASURES)]
    table = pd.DataFrame(points).astype(dict.fromkeys(numbers, float))
    family = table.groupby(["objective", "source", "seed"])["held_out_loss"]
    table.insert(table.columns.get_loc("error"), "excess", table["held_out_loss"] - family.transform("min"))
    table.insert(table.columns.get_loc("error"), "gain", table["random_error"] - table["error"])
    return table


DHZM_DENSE = Entry(
    name="dhzm_dense",
    description="Patches of scenes composed of digits: does transfer follow the same terms as for whole images?",
    sizes={
        "smoke": Size(partial(_parts, _SMOKE, (0, 1)), Cost(15.0), seeds=(0, 1)),
        "small": Size(partial(_parts, _SMALL, range(5)), Cost(1800.0), seeds=tuple(range(5))),
        "full": Size(partial(_parts, _FULL, range(10)), Cost(4e6, measured=False), seeds=tuple(range(10))),
    },
    table=_table,
    compare=compare_dense,
    chosen=(
        "Mask ratio, jitter, learning rate and the numbers of steps were set so that encoders of seed 100 learn and "
        "beat their random start; no term was compared with an error then."
    ),
    chosen_on=(100,),
)
