"""Plans looked at before any of them trains, so that a slip in the last one does not cost the others."""

from collections.abc import Callable, Iterable

from carryover._core.errors import InputError
from carryover.adaptation.lora import add_low_rank
from carryover.adaptation.network import AdaptedNetwork
from carryover.adaptation.plans import Phase, Plan
from carryover.adaptation.selection import train_only


def check_plans(make: Callable[[], AdaptedNetwork], plans: Iterable[Plan]) -> None:
    """Let every phase choose its parameters on a network of its own; nothing is trained.

    Raises InputError with the names of plan and phase for a pattern that matches none, and for a low-rank phase where
    no layer can have an addition.
    """
    network = None
    for plan in plans:
        for phase in plan.phases:
            network = network or make()
            try:
                _choose(network, phase)
            except InputError as error:
                raise InputError(f"plan {plan.name!r}, phase {phase.name!r}: {error}") from error
        if any(phase.lora is not None for phase in plan.phases):
            network = None  # its layers have other names now


def _choose(network: AdaptedNetwork, phase: Phase) -> None:
    patterns = phase.trains if phase.lora is None else add_low_rank(network, phase.lora, seed=0)
    train_only(network, patterns)
