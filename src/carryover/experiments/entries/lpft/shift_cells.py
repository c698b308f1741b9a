"""A plan of the real shift: adapted on labelled photos, tested on other photos and in other domains."""

from dataclasses import replace
from pathlib import Path

import torch

from carryover.adaptation.inputs import open_adaptation
from carryover.adaptation.outcome import run_plan
from carryover.adaptation.phases import Budget, Examples, all_scores
from carryover.adaptation.plans import PLANS, Plan
from carryover.adaptation.specs import AdaptSpec
from carryover.diagnosis.specs import ModelSpec, TargetSpec
from carryover.experiments.entries.lpft.shift import FT, INSIDE, LP, LP_FT, ShiftCell
from carryover.experiments.rows import Row, failed_row
from carryover.objectives.views import Views

NO_CHECKPOINT = (
    "the data folder has no checkpoint of the pretrained network: give --data with checkpoints/ in it"
)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # what the checkpoint's author trained it with
SIDE, BATCH, VALIDATION = 32, 32, 0.2
VIEWS = Views(least_area=0.6, flip=0.5, jitter=0.0, grey=0.0)
_LEAST_SHARE = 0.02
_PLANS = {LP: "linear_probe", FT: "fine_tuning", LP_FT: "lp_ft"}


def run_shift(cell: ShiftCell, _: Path | None = None) -> Row:
    """Accuracy on the test photos and in each domain, under ``accuracy.`` and the domain's name."""
    if cell.weights is None:
        return failed_row(NO_CHECKPOINT)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    inputs = open_adaptation(adaptation_spec(cell), device=device)
    budget = Budget(cell.steps, BATCH, views=VIEWS, seed=cell.seed)
    found = run_plan(inputs.make, plan_at(cell.plan, cell.learning_rate), inputs.split, budget=budget)
    row: Row = {
        "n_train": len(inputs.split.train),
        f"accuracy.{INSIDE}": float(found.measures["accuracy"].value),
    }
    for domain in cell.domains:
        examples = open_adaptation(adaptation_spec(cell, domain), device=device).out_of_domain
        row[f"accuracy.{domain}"] = _accuracy(found.network, examples)
    return row


def plan_at(name: str, learning_rate: float | None) -> Plan:
    """The library's plan with its descent at that rate.

    >>> [phase.learning_rate for phase in plan_at("LP-FT", 3e-3).phases if phase.solve == "descent"]
    [0.003]
    """
    plan = PLANS[_PLANS[name]]
    return replace(
        plan,
        phases=tuple(
            replace(phase, learning_rate=learning_rate) if phase.solve == "descent" else phase
            for phase in plan.phases
        ),
    )


def adaptation_spec(cell: ShiftCell, domain: str | None = None) -> AdaptSpec:
    """What ``carryover adapt`` would be given: the cell's photos, with ``domain`` as the one out of domain."""
    model = ModelSpec(
        name=cell.network,
        factory=f"carryover.models.backbones:cifar_{cell.network}",
        weights=None if cell.random_network else cell.weights,
        image_size=SIDE,
        mean=MEAN,
        std=STD,
        arguments={"seed": cell.seed},
    )
    target = TargetSpec(
        path=cell.data,
        label="label",
        where={"domain": INSIDE},
        n_labels=cell.labels,
        test_fraction=cell.test_share,
    )
    other = None
    if domain is not None:
        other = TargetSpec(
            path=cell.data,
            label="label",
            where={"domain": domain},
            n_labels=cell.outside_images,
            test_fraction=_LEAST_SHARE,
        )
    return AdaptSpec(model, target, validation=VALIDATION, out_of_domain=other, seed=cell.seed)


def _accuracy(network: torch.nn.Module, examples: Examples) -> float:
    right = all_scores(network, examples.images).argmax(dim=1) == examples.targets
    return float(right.double().mean())
