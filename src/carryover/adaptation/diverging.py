"""A phase that diverges: when a finite loss counts as that, and what is said of it."""

from collections.abc import Mapping
from typing import Any

from carryover._core.errors import NotComputedError
from carryover.adaptation.best import BestWeights
from carryover.adaptation.plans import Phase
from carryover.training.divergence import DivergedError, Wrong

EXPLODED = 1e3
"""A batch's loss of so many times what scores of 0 lose is a divergence, though it is finite."""


def exploded(of_zeros: float) -> Wrong:
    """Sees an ``adaptation_loss`` over EXPLODED times the loss ``of_zeros``; where that is 0 nothing is compared.

    >>> exploded(1.1)({"adaptation_loss": 2200.0})
    'the loss is 2.2e+03, over 1,000 times what scores of 0 lose,'
    """

    def wrong(row: Mapping[str, Any]) -> str | None:
        loss = row["adaptation_loss"]
        if of_zeros == 0.0 or loss <= EXPLODED * of_zeros:
            return None
        return f"the loss is {loss:.3g}, over {EXPLODED:,.0f} times what scores of 0 lose,"

    return wrong


def put_back(phase: Phase, error: DivergedError, best: BestWeights | None) -> str:
    """Go back to the best weights before the divergence, and say so; NotComputedError where none were kept."""
    if best is None or not best.any:
        advice = ', or keep = "best_on_validation"' if best is None else ""
        raise NotComputedError(f"phase {phase.name!r} diverged: {error}{advice}") from error
    best.restore()
    return (
        f"phase {phase.name!r} diverged: {error.event}; its weights are the best on validation before that, "
        f"those of step {int(best.step)}"
    )
