"""A whole plan on labelled examples: its phases in turn, what it predicts, and where its loss comes from."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from carryover._core.errors import NotComputedError
from carryover._core.results import Estimate
from carryover._core.seeding import derive_seed
from carryover.adaptation.decomposition import NO_LONGER, NO_POOL, Decomposition, decompose
from carryover.adaptation.network import AdaptedNetwork, encoder_weights
from carryover.adaptation.phases import Budget, Examples, PhaseResult, all_scores, run_phase
from carryover.adaptation.plans import Phase, Plan
from carryover.measures.probe import accuracy_estimate, mean_loss_estimate, r2_estimate
from carryover.models.initial_scales import (
    InitialScales,
    cancellation_warning,
    cancelled_scales,
    scale_weights,
)
from carryover.training.loop import LoopOptions

MakeNetwork = Callable[[], AdaptedNetwork]
"""Gives the pretrained network with a new head, afresh each time."""
_TRIED = 64


@dataclass(frozen=True)
class Split:
    """Examples by role.  ``pool``: many more labelled ones, which only the decomposition sees; None without."""

    train: Examples
    test: Examples
    validation: Examples | None = None
    pool: Examples | None = None


@dataclass(frozen=True)
class PlanOutcome:
    """``scores`` (t, K) of the test examples; ``measures`` by name: accuracy and log loss, or r2 and mse.

    ``done`` is False where the run was asked to stop; scores, measures and decomposition are then empty.
    ``start``: the network's state when the last phase began, on the processor; ``trained``: what that phase trains.
    """

    plan: Plan
    network: AdaptedNetwork
    phases: tuple[PhaseResult, ...]
    done: bool
    scores: np.ndarray | None = None
    measures: dict[str, Estimate] = dataclasses.field(default_factory=dict)
    decomposition: Decomposition | None = None
    warnings: tuple[str, ...] = ()
    start: Mapping[str, Tensor] = dataclasses.field(default_factory=dict)
    trained: tuple[str, ...] = ()


@dataclass
class _Start:
    """Filled in when the last phase begins."""

    state: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    trained: tuple[str, ...] = ()

    def take(self, network: AdaptedNetwork) -> None:
        self.state = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
        self.trained = tuple(name for name, weight in network.named_parameters() if weight.requires_grad)


def run_plan(
    make: MakeNetwork,
    plan: Plan,
    split: Split,
    *,
    budget: Budget,
    scales: InitialScales | None = None,
    options: LoopOptions | None = None,
    pool_steps: int | None = None,
    longer: bool = False,
) -> PlanOutcome:
    """Adapt a new network by ``plan`` on the training examples and measure it on the test examples.

    With a pool the best constrained adaptation is looked for by the same plan on the pool, for ``pool_steps`` (by
    default four times the budget's).  ``longer`` trains on for as many steps again to see the optimisation gap.
    ``options.folder`` keeps each phase's checkpoints in a folder of its own, from which a stopped run goes on.
    A phase that diverges is a warning where it keeps the best weights, else NotComputedError is raised with the reason;
    where only the pool's phases or the longer ones diverge, the decomposition's parts that need them abstain.
    """
    options = options or LoopOptions()
    network, warnings = new_network(make, scales, split.train)
    pretrained, start = encoder_weights(network), _Start()
    phases = run_phases(
        network, plan, split, budget=budget, options=options, on_last=lambda: start.take(network)
    )
    warnings += tuple(phase.warning for phase in phases if phase.warning is not None)
    if not phases[-1].done:
        return PlanOutcome(plan, network, phases, False, warnings=warnings)
    train, test = (_finite_losses(network, part) for part in (split.train, split.test))
    if split.validation is not None:
        _finite_losses(network, split.validation)
    many = pool_steps or 4 * budget.steps
    best, no_best = _unless_diverged(
        lambda: _best(make, plan, split, budget=budget, scales=scales, steps=many), NO_POOL
    )
    continued, no_longer = _unless_diverged(
        lambda: _continued(network, plan, split, budget, pretrained) if longer else None, NO_LONGER
    )
    scores = all_scores(network, split.test.images).cpu().numpy()
    return PlanOutcome(
        plan=plan,
        network=network,
        phases=phases,
        done=True,
        scores=scores,
        measures=measures_of(scores, split.test.targets.cpu().numpy(), test),
        decomposition=decompose(
            train,
            test,
            best_train_losses=None if best is None else example_losses(best, split.train),
            best_test_losses=None if best is None else example_losses(best, split.test),
            longer_train_losses=continued,
            no_best=no_best,
            no_longer=no_longer,
        ),
        warnings=warnings,
        start=start.state,
        trained=start.trained,
    )


def measures_of(scores: np.ndarray, targets: np.ndarray, losses: np.ndarray) -> dict[str, Estimate]:
    """Accuracy and log loss (nats) of scores (t, K) for class codes; R2 and mean squared error for numbers.

    All are failed where a loss is NaN or infinite.
    """
    if not np.isfinite(losses).all():
        failed = Estimate.missing(
            "failed", "the adapted network's losses on these examples are NaN or infinite"
        )
        names = ("r2", "mse") if np.issubdtype(targets.dtype, np.floating) else ("accuracy", "log_loss")
        return dict.fromkeys(names, failed)
    if np.issubdtype(targets.dtype, np.floating):
        return {"r2": r2_estimate(targets, scores[:, 0]), "mse": mean_loss_estimate(losses)}
    return {
        "accuracy": accuracy_estimate(scores.argmax(axis=1) == targets),
        "log_loss": mean_loss_estimate(losses),
    }


def example_losses(network: AdaptedNetwork, data: Examples) -> np.ndarray:
    """The prediction loss of each example (n,), float64: cross-entropy in nats, or squared error."""
    scores = all_scores(network, data.images).double()
    if data.is_classification:
        return functional.cross_entropy(scores, data.targets, reduction="none").cpu().numpy()
    return (scores[:, 0] - data.targets.double()).square().cpu().numpy()


def _finite_losses(network: AdaptedNetwork, data: Examples) -> np.ndarray:
    """The loss of each example; NotComputedError where one is NaN or infinite."""
    losses = example_losses(network, data)
    if not np.isfinite(losses).all():
        raise NotComputedError(
            "the adapted network's losses are NaN or infinite: try a smaller learning rate"
        )
    return losses


def _unless_diverged(find: Callable[[], Any], reason: str) -> tuple[Any, str]:
    """What ``find`` gives, and why it may be None: for ``reason``, or because it diverged."""
    try:
        return find(), reason
    except NotComputedError as error:
        return None, f"what it is compared with was not found: {error}"


def new_network(
    make: MakeNetwork, scales: InitialScales | None, data: Examples
) -> tuple[AdaptedNetwork, tuple[str, ...]]:
    """The network that a plan begins with, and a warning where the scales change nothing."""
    network = make()
    if scales is None:
        return network, ()
    changed = scale_weights(network, network.encoder, scales)
    images = data.images[:_TRIED]
    cancelled = cancelled_scales(network, network.encoder, images, features=network.features, changed=changed)
    sentence = cancellation_warning(cancelled)
    return network, () if sentence is None else (sentence,)


def run_phases(
    network: AdaptedNetwork,
    plan: Plan,
    split: Split,
    *,
    budget: Budget,
    options: LoopOptions | None = None,
    on_last: Callable[[], None] = lambda: None,
) -> tuple[PhaseResult, ...]:
    """The plan's phases on a new network in place, up to one that was asked to stop; each in a folder of its own.

    The network's weights are the pretrained ones.  ``on_last`` is called when the last phase begins.
    """
    options = options or LoopOptions()
    found, pretrained = [], encoder_weights(network)
    for number, phase in enumerate(plan.phases):
        own = None if options.folder is None else Path(options.folder) / f"phase-{number}"
        last = number == len(plan.phases) - 1
        found.append(
            run_phase(
                network,
                phase,
                split.train,
                budget=budget,
                validation=split.validation,
                options=dataclasses.replace(options, folder=own),
                pretrained=pretrained,
                on_start=on_last if last else lambda: None,
            )
        )
        if not found[-1].done:
            break
    return tuple(found)


def _best(
    make: MakeNetwork,
    plan: Plan,
    split: Split,
    *,
    budget: Budget,
    scales: InitialScales | None,
    steps: int,
) -> AdaptedNetwork | None:
    """The plan's weights on the pool; NotComputedError where they diverge."""
    if split.pool is None:
        return None
    network, _ = new_network(make, scales, split.pool)
    many = dataclasses.replace(budget, steps=steps, seed=derive_seed(budget.seed, "pool") % 2**32)
    wide = dataclasses.replace(split, train=split.pool)
    run_phases(network, plan, wide, budget=many)
    return network


def _continued(
    network: AdaptedNetwork, plan: Plan, split: Split, budget: Budget, start: Mapping[str, Tensor]
) -> np.ndarray | None:
    """Training losses after the last phase's descent once more, on a network that is put back afterwards.

    ``start``: the pretrained weights, which the phase's constraint is about.
    """
    last: Phase = plan.phases[-1]
    if last.solve != "descent" or last.lora is not None:
        return None
    kept: dict[str, Tensor] = {name: value.clone() for name, value in network.state_dict().items()}
    needs = {name: weight.requires_grad for name, weight in network.named_parameters()}
    phase = dataclasses.replace(last, keep="last")
    more = dataclasses.replace(budget, seed=derive_seed(budget.seed, "longer") % 2**32)
    try:
        run_phase(network, phase, split.train, budget=more, pretrained=start)
        return _finite_losses(network, split.train)
    finally:
        with torch.no_grad():
            network.load_state_dict(kept)
        for name, weight in network.named_parameters():
            weight.requires_grad_(needs[name])
