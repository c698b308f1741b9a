"""LPFT22: its linear example, and its claims about a real shift."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from carryover.experiments.comparisons import Comparison
from carryover.experiments.entries.lpft.linear import compare_linear, linear_part, linear_rows
from carryover.experiments.entries.lpft.shift import (
    CHOOSING_SEEDS,
    RATE,
    RATES,
    Recipe,
    compare_shift,
    shift_part,
    shift_rows,
)
from carryover.experiments.entry import Cost, Entry, Part, Size
from carryover.experiments.inputs import Inputs
from carryover.experiments.rows import Row

if TYPE_CHECKING:
    import pandas as pd

SMOKE = Recipe(
    seeds=2, choosing=False, domains=("sketch",), labels=40, steps=2, test_share=0.1, outside_images=40
)
SMALL = Recipe(seeds=16)
FULL = Recipe(
    seeds=50,
    choosing=False,
    network="resnet56",
    checkpoint="resnet56-4bfd9763.th",
    labels=1000,
    steps=2000,
    outside_images=None,
)
_COLUMNS = [
    "plan", "samples", "seed", "time", "error_outside", "error_inside", "role", "learning_rate", "domain", "accuracy",
    "status", "reason",
]  # fmt: skip


def _parts(runs: int, recipe: Recipe, inputs: Inputs) -> tuple[Part, ...]:
    return linear_part(runs), shift_part(recipe, inputs)


def _table(rows: Sequence[Row]) -> "pd.DataFrame":
    """A row for each run and time of the linear example, then for each run and domain of the real shift."""
    import pandas as pd

    points = [point for row in rows for point in (linear_rows(row) if "samples" in row else shift_rows(row))]
    return pd.DataFrame(points).reindex(columns=_COLUMNS)


def compare_lpft(table: "pd.DataFrame") -> tuple[Comparison, ...]:
    return (*compare_linear(table), *compare_shift(table))


LPFT = Entry(
    name="lpft",
    description="LP-FT and fine-tuning outside the training data: a two-layer linear model; PACS, photos to drawings.",
    sizes={
        "smoke": Size(partial(_parts, 6, SMOKE), Cost(20.0), seeds=tuple(range(6))),
        "small": Size(partial(_parts, 20, SMALL), Cost(1700.0), seeds=tuple(range(20))),
        "full": Size(partial(_parts, 50, FULL), Cost(80_000.0, measured=False), seeds=tuple(range(50))),
    },
    table=_table,
    compare=compare_lpft,
    chosen=(
        f"Learning rates of the real shift, of {', '.join(f'{rate:g}' for rate in RATES)} for each of two plans: "
        + ", ".join(f"{rate:g} for {plan}" for plan, rate in RATE.items())
        + ", by the accuracy on test photos of the choosing seeds, whose cells are in the small size's sweep. "
        "The other domains chose nothing. The probe's penalty is by leave-one-out."
    ),
    chosen_on=CHOOSING_SEEDS,
)
