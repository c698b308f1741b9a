"""LPFT22 on a real shift: probe, fine-tuning and LP-FT of one pretrained network on photos, tested on drawings too.

The network is a CIFAR-10 ResNet; photos, paintings, cartoons and sketches are those of PACS at 32 pixels.  Every seed
draws its own test photos and training labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from carryover._core.errors import InputError
from carryover.experiments.comparisons import Comparison, Published, compare_order, compare_value
from carryover.experiments.compute import Cell, Compute
from carryover.experiments.entries.random_start import at_random_start
from carryover.experiments.entry import CHOOSING, REPORTED, Part
from carryover.experiments.identity import Contents, cell_id
from carryover.experiments.inputs import Inputs
from carryover.experiments.rows import Row
from carryover.experiments.summaries import mean_over_runs

if TYPE_CHECKING:
    import pandas as pd

SPEC_VERSION = 1
LP, FT, LP_FT = "LP", "FT", "LP-FT"
RANDOM_LP = "LP of a random network"
INSIDE, OUTSIDE = "photo", ("art_painting", "cartoon", "sketch")
CHOOSING_SEEDS = (100, 101)
RATES = (3e-4, 1e-3, 3e-3, 1e-2)
RATE = {FT: 1e-3, LP_FT: 3e-3}
"""Of ``RATES`` the one with the highest accuracy on test photos, mean of ``CHOOSING_SEEDS``."""
SOURCE = "Kumar et al., ICLR 2022 (LPFT22), means of five data sets and of six shifts, without ImageNet"
PUBLISHED = {FT: (85.8, 66.8), LP: (83.5, 71.6), LP_FT: (86.5, 74.4)}
"""Accuracy in percent, in and out of distribution."""
_UNLIKE = "theirs are means over other data sets and of larger networks; this is one small network on PACS"


@dataclass(frozen=True)
class ShiftCell:
    """One plan on ``labels`` labelled photos, four fifths of them trained on, tested on photos and in ``domains``.

    ``weights``: the pretrained network's file, None where there is none; ``random_network`` leaves it out.
    ``test_share`` of the photos is tested on; ``outside_images`` are taken of each domain, by class, None: all.
    ``learning_rate`` is that of the descent, None for the probe.
    """

    data: str
    weights: str | None
    plan: Literal["LP", "FT", "LP-FT"]
    learning_rate: float | None = None
    random_network: bool = False
    network: Literal["resnet20", "resnet56"] = "resnet20"
    domains: tuple[str, ...] = OUTSIDE
    labels: int = 400
    steps: int = 200
    test_share: float = 0.4
    outside_images: int | None = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.learning_rate is None) != (self.plan == LP):
            raise InputError(f"plan {self.plan} and learning_rate {self.learning_rate} do not go together: FT and "
                             "LP-FT need one, LP has none")  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """A size of the real shift: what its cells share."""

    seeds: int
    choosing: bool = True
    network: Literal["resnet20", "resnet56"] = "resnet20"
    checkpoint: str = "resnet20-12fca82f.th"
    domains: tuple[str, ...] = OUTSIDE
    labels: int = 400
    steps: int = 200
    test_share: float = 0.4
    outside_images: int | None = 1000


def shift_part(recipe: Recipe, inputs: Inputs) -> Part:
    """Cells of the reported seeds at the chosen rates, and of the choosing seeds at every rate."""
    from carryover.experiments.entries.lpft.shift_cells import run_shift

    contents = Contents()
    shared = {
        "data": inputs.data_set("pacs32"),
        "weights": inputs.checkpoint(recipe.checkpoint),
        **{name: getattr(recipe, name) for name in
           ("network", "labels", "steps", "test_share", "outside_images")},
    }  # fmt: skip

    def cell(seed: int, role: str, **given: object) -> Cell:
        spec = ShiftCell(**shared, seed=seed, **given)
        plan = RANDOM_LP if spec.random_network else spec.plan
        labels = {"plan": plan, "seed": seed, "role": role, "learning_rate": spec.learning_rate}
        ident = cell_id(
            "real shift", spec, version=SPEC_VERSION, path_keys=("data", "weights"), contents=contents
        )
        return Cell(ident, spec, labels)

    cells = []
    for seed in range(recipe.seeds):
        given = [{"plan": LP}, {"plan": LP, "random_network": True}]
        given += [{"plan": plan, "learning_rate": rate} for plan, rate in RATE.items()]
        cells += [cell(seed, REPORTED, domains=recipe.domains, **one) for one in given]
    for seed in CHOOSING_SEEDS if recipe.choosing else ():
        cells += [
            cell(seed, CHOOSING, plan=plan, learning_rate=rate, domains=()) for plan in RATE for rate in RATES
        ]
    return Part(tuple(cells), Compute(run_shift, uses_torch=True))


def shift_rows(row: Row) -> list[Row]:
    """A row of the table for each domain that the cell was tested in; of every domain where it failed."""
    domains = [one for one in (INSIDE, *OUTSIDE) if row.get(f"accuracy.{one}") is not None]
    same = {key: row[key] for key in ("plan", "seed", "role", "learning_rate", "status", "reason")}
    return [
        {**same, "domain": one, "accuracy": row.get(f"accuracy.{one}")}
        for one in domains or (INSIDE, *OUTSIDE)
    ]


def compare_shift(table: "pd.DataFrame") -> tuple[Comparison, ...]:
    """Claims about orders, paired by seed, and the published numbers; nothing where no shift was run."""
    own = table[(table["role"] == REPORTED) & table["domain"].notna()] if "domain" in table else table[:0]
    if own.empty:
        return ()
    inside, outside = _accuracies(own, (INSIDE,)), _accuracies(own, OUTSIDE)
    claims = (
        ("out of distribution", outside, LP_FT, FT, 0.975),
        ("out of distribution", outside, LP_FT, LP, 0.975),
        ("out of distribution", outside, LP, FT, 0.95),
        ("in distribution", inside, FT, LP, 0.95),
        ("in distribution", inside, LP_FT, FT, 0.95),
    )
    found = [_order(where, values, (first, second), confidence=sure)
             for where, values, first, second, sure in claims]  # fmt: skip
    for plan, numbers in PUBLISHED.items():
        places = (("in distribution", inside), ("out of distribution", outside))
        for (where, values), number in zip(places, numbers, strict=True):
            ours = mean_over_runs(100.0 * values[plan])
            claim = Published(SOURCE, number, uncertainty=0.05)
            found.append(
                compare_value(f"{plan} {where}: accuracy, %", claim, ours, matters=1.0, unlike=_UNLIKE)
            )
    return tuple(found)


def _order(
    where: str, values: dict[str, np.ndarray], plans: Sequence[str], *, confidence: float
) -> Comparison:
    first, second = plans
    gain = mean_over_runs(values[LP] - values[RANDOM_LP])
    contrast = mean_over_runs(100.0 * (values[first] - values[second]), confidence=confidence)
    n = len(values[first])
    return compare_order(
        f"{where}: accuracy of {first} less that of {second}, points (mean of {n} splits, {100 * confidence:g} %)",
        Published(SOURCE, claim=f"{first} is above {second} {where}"),
        contrast,
        unproven=at_random_start({f"a probe of the pretrained network {where}": gain}),
    )


def _accuracies(own: "pd.DataFrame", domains: Sequence[str]) -> dict[str, np.ndarray]:
    """By plan, the mean over the domains (seeds,); NaN for a run that failed."""
    kept = own[own["domain"].isin(domains)]
    means = kept.astype({"accuracy": float}).groupby(["plan", "seed"])["accuracy"]
    of_plan = means.agg(lambda values: values.mean(skipna=False)).unstack("seed")
    return {plan: of_plan.loc[plan].to_numpy() for plan in (LP, FT, LP_FT, RANDOM_LP)}
