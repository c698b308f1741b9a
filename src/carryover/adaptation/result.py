"""What a plan reached, as plain data for result.json."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from carryover._core.results import Estimate
from carryover.adaptation.decomposition import Decomposition
from carryover.adaptation.outcome import PlanOutcome
from carryover.measures.differences import excess_over_best, paired_accuracy_difference
from carryover.measures.probe import mean_loss_estimate


def outcome_record(
    outcome: PlanOutcome, winner: PlanOutcome, *, validation_loss: float, targets: Tensor
) -> dict[str, Any]:
    """One plan's row: its measures on the test examples, the paired difference to the winner, its decomposition."""
    measured = {f"test_{name}": dataclasses.asdict(one) for name, one in outcome.measures.items()}
    return {
        "plan": outcome.plan.name,
        "status": "ok",
        "reason": None,
        **measured,
        "validation_loss": validation_loss,
        "less_than_winner": dataclasses.asdict(_difference(outcome, winner, targets.cpu().numpy())),
        "decomposition": _decomposition_record(outcome.decomposition),
        "history": [dataclasses.asdict(phase) for phase in outcome.phases],
        "warnings": list(outcome.warnings),
    }


def failed_record(plan: str, reason: str) -> dict[str, Any]:
    """The row of a plan that gave no network, and why."""
    return {"plan": plan, "status": "failed", "reason": reason, "history": [], "warnings": []}


def choice_record(
    names: Sequence[str], losses: Float[np.ndarray, "plans m"], *, n_failed: int = 0
) -> dict[str, Any]:
    """How sure the choice is, from validation losses: each plan's excess over the best, and those within its noise.

    ``names`` of the plans that were finished, besides which ``n_failed`` were not.
    ``cannot_be_told_apart``: the plans whose excess may be 0, the winner among them; ``sentence`` says it in words.
    """
    winner = names[int(np.argmin(losses.mean(axis=1)))]
    if len(names) == 1:
        only = "is the only plan that was finished" if n_failed else "is the only plan"
        return {"excess": {}, "cannot_be_told_apart": [winner], "sentence": f"{winner} {only}."}
    found = dict(zip(names, excess_over_best(losses), strict=True))
    near = [name for name, one in found.items() if one.interval[0] <= 0.0]
    n = losses.shape[1]
    sentence = f"{winner} has the least loss on the {n} labels set aside to choose on"
    others = [name for name in near if name != winner]
    if others:
        sentence += f", but {', '.join(others)} cannot be told from it there"
    excess = {name: dataclasses.asdict(one) for name, one in found.items()}
    return {"excess": excess, "cannot_be_told_apart": near, "sentence": f"{sentence}."}


def _difference(outcome: PlanOutcome, winner: PlanOutcome, targets: np.ndarray) -> Estimate:
    """The winner's accuracy (for numbers: this plan's squared error) less the other's, paired by test example."""
    if outcome is winner:
        return Estimate.missing("not_applicable", "this plan is the winner")
    if np.issubdtype(targets.dtype, np.floating):
        own, best = ((one.scores[:, 0] - targets) ** 2 for one in (outcome, winner))
        return mean_loss_estimate(own - best)
    own, best = (one.scores.argmax(axis=1) == targets for one in (outcome, winner))
    return paired_accuracy_difference(best, own)


def _decomposition_record(found: Decomposition) -> dict[str, Any]:
    return {
        "loss": dataclasses.asdict(found.whole),
        "training_loss": found.training_loss,
        "parts": {name: dataclasses.asdict(part) for name, part in found.parts.items()},
        "optimization_gap": dataclasses.asdict(found.optimization_gap),
        "best_is_at_most": found.best_is_at_most if np.isfinite(found.best_is_at_most) else None,
    }
