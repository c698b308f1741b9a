"""Which learning regime a plan's run was in: kernels, the linearised network, and a run without pretraining."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from scipy.special import softmax
from torch import Tensor

from carryover._core.errors import InputError, NotComputedError
from carryover._core.results import Estimate
from carryover._core.seeding import derive_seed
from carryover.adaptation.counterfactual import shuffle_pretraining
from carryover.adaptation.measuring_specs import RegimeSpec
from carryover.adaptation.network import AdaptedNetwork, encoder_weights
from carryover.adaptation.outcome import (
    MakeNetwork,
    PlanOutcome,
    Split,
    measures_of,
    new_network,
    run_phases,
)
from carryover.adaptation.phases import Budget, all_scores
from carryover.adaptation.plans import Plan
from carryover.adaptation.regime_layers import LayerChange, layer_changes
from carryover.adaptation.regime_map import DEPENDENT_FROM, RICH_BELOW, Placement, advice, place
from carryover.adaptation.tangent import at_state, tangent_scores
from carryover.measures.kernel_change import (
    kernel_distance_estimate,
    kernel_growth,
)
from carryover.measures.kernels import kernel_target_alignment
from carryover.measures.prediction_distance import prediction_distance
from carryover.models.initial_scales import InitialScales
from carryover.models.ntk import check_memory, trace_kernel
from carryover.models.patterns import matching


@dataclass(frozen=True)
class Regime:
    """``evidence`` and ``alignments`` (kernel-target, before and after) by name; ``layers`` in the order they run."""

    placement: Placement
    evidence: dict[str, Estimate]
    advice: tuple[str, ...]
    layers: tuple[LayerChange, ...]
    features: LayerChange
    balances: tuple[Any, ...]
    alignments: dict[str, float | None] = field(default_factory=dict)


def check_regime_memory(make: MakeNetwork, plans: Sequence[Plan], images: Tensor, spec: RegimeSpec) -> None:
    """Raise InputError before anything is trained where a memory budget that was asked for is too small."""
    if spec.memory_mib is None or spec.plans == "none":
        return
    network = make()
    names = [name for name, _ in network.named_parameters()]
    for plan in plans:
        last = plan.phases[-1]
        if last.lora is None:  # low-rank additions are smaller than what they add to
            check_memory(
                network,
                images[: spec.examples],
                memory_budget=spec.memory_budget,
                parameters=matching(names, last.trains),
            )


def measure_regime(
    outcome: PlanOutcome,
    make: MakeNetwork,
    split: Split,
    *,
    budget: Budget,
    scales: InitialScales | None = None,
    spec: RegimeSpec | None = None,
) -> Regime:
    """The regime of a finished run: its last phase, from the state in which that began.

    Predictions are compared on the test examples, kernels on the first ``spec.examples`` of them.
    Raises InputError where the memory budget is too small or torch cannot differentiate the network
    example by example, NotComputedError where a run that it is compared with diverged.
    """
    spec = spec or RegimeSpec()
    images, network = split.test.images, outcome.network
    probe = images[: spec.examples]
    before, started = _kernel_at_start(outcome, probe, spec)
    after = _kernel(outcome, probe, spec)
    learned = all_scores(network, probe).cpu().numpy() - started
    own = _predicted(outcome.scores, split)
    runs = {
        "linearization_distance": _linearized(outcome, make, split, budget=budget, scales=scales),
        "between_seeds": _other_batches(outcome, make, split, budget=budget, scales=scales),
        "without_pretraining": _shuffled(outcome, make, split, budget=budget, scales=scales),
    }
    evidence = {name: prediction_distance(own, _predicted(scores, split)) for name, scores in runs.items()}
    evidence["kernel_growth"] = kernel_growth(before, after, learned)
    evidence["kernel_distance"] = kernel_distance_estimate(before, after)
    evidence["centred_kernel_distance"] = kernel_distance_estimate(before, after, centred=True)
    measured = {"network": _quality(outcome.scores, split)}
    measured["linearized"] = _quality(runs["linearization_distance"], split)
    measured["without_pretraining"] = _quality(runs["without_pretraining"], split)
    evidence |= {f"{name}_accuracy": measured[name] for name in ("linearized", "without_pretraining")}
    placement = place(evidence["kernel_growth"], evidence["without_pretraining"], evidence["between_seeds"])
    changes = layer_changes(network, outcome.start, images[:1024])
    return Regime(
        placement=placement,
        evidence=evidence,
        advice=advice(placement, measured),
        layers=changes.layers,
        features=changes.features,
        balances=changes.balances,
        alignments=_alignments({"before": before, "after": after}, split),
    )


def regime_record(
    outcome: PlanOutcome, make: MakeNetwork, split: Split, *, spec: RegimeSpec, **run: Any
) -> dict[str, Any]:
    """The regime as plain data for result.json; where it cannot be measured, the status and the reason.

    Raises InputError for a memory budget that was asked for and is too small.
    """
    try:
        found = measure_regime(outcome, make, split, spec=spec, **run)
    except InputError as error:
        if spec.memory_mib is not None and "memory_budget" in str(error):
            raise
        return _missing("abstained", str(error))
    except NotComputedError as error:
        return _missing("failed", str(error))
    placed = found.placement
    return {
        "status": "ok",
        "reason": None,
        "regime": placed.regime,
        "learning": placed.learning,
        "pretraining": placed.pretraining,
        "order": dataclasses.asdict(placed.order),
        "sentences": list(placed.sentences),
        "advice": list(found.advice),
        "evidence": {name: dataclasses.asdict(one) for name, one in found.evidence.items()},
        "borders": {"learning": RICH_BELOW, "pretraining": DEPENDENT_FROM},
        "kernel_target_alignment": found.alignments,
        "features": dataclasses.asdict(found.features),
        "layers": [dataclasses.asdict(one) for one in found.layers],
        "balances": [dataclasses.asdict(one) for one in found.balances],
    }


def _missing(status: str, reason: str) -> dict[str, Any]:
    return {"status": status, "reason": reason, "learning": "cannot_tell", "pretraining": "cannot_tell"}


def _kernel(outcome: PlanOutcome, probe: Tensor, spec: RegimeSpec) -> np.ndarray:
    return trace_kernel(outcome.network, probe, memory_budget=spec.memory_budget, parameters=outcome.trained)


def _kernel_at_start(outcome: PlanOutcome, probe: Tensor, spec: RegimeSpec) -> tuple[np.ndarray, np.ndarray]:
    """The kernel (n, n) and the scores (n, K) before the last phase."""
    with at_state(outcome.network, outcome.start):
        return _kernel(outcome, probe, spec), all_scores(outcome.network, probe).cpu().numpy()


def _linearized(
    outcome: PlanOutcome, make: MakeNetwork, split: Split, *, budget: Budget, scales: InitialScales | None
) -> np.ndarray:
    """Scores of the last phase's descent on the tangent; the ridge probe is its own tangent."""
    last = outcome.plan.phases[-1]
    if last.solve == "ridge":
        return outcome.scores
    pretrained = encoder_weights(new_network(make, scales, split.train)[0])
    with at_state(outcome.network, outcome.start):
        _train_only(outcome.network, outcome.trained)
        return tangent_scores(
            outcome.network,
            last,
            split.train,
            budget=budget,
            images=split.test.images,
            pretrained=pretrained,
        )


def _train_only(network: AdaptedNetwork, names: tuple[str, ...]) -> None:
    for name, weight in network.named_parameters():
        weight.requires_grad_(name in names)


def _other_batches(
    outcome: PlanOutcome, make: MakeNetwork, split: Split, *, budget: Budget, scales: InitialScales | None
) -> np.ndarray:
    network, _ = new_network(make, scales, split.train)
    other = dataclasses.replace(budget, seed=derive_seed(budget.seed, "other batches") % 2**32)
    run_phases(network, outcome.plan, split, budget=other)
    return all_scores(network, split.test.images).cpu().numpy()


def _shuffled(
    outcome: PlanOutcome, make: MakeNetwork, split: Split, *, budget: Budget, scales: InitialScales | None
) -> np.ndarray:
    network, _ = new_network(make, scales, split.train)
    shuffle_pretraining(network, split.train.images, seed=budget.seed)
    run_phases(network, outcome.plan, split, budget=budget)
    return all_scores(network, split.test.images).cpu().numpy()


def _predicted(scores: np.ndarray, split: Split) -> np.ndarray:
    """Probabilities of classes, or the numbers themselves."""
    return softmax(scores.astype(np.float64), axis=1) if split.test.is_classification else scores


def _quality(scores: np.ndarray, split: Split) -> Estimate:
    targets = split.test.targets.cpu().numpy()
    losses = np.square(scores[:, 0] - targets)  # of numbers; classes have their accuracy
    return next(iter(measures_of(scores, targets, losses).values()))


def _alignments(kernels: dict[str, np.ndarray], split: Split) -> dict[str, float | None]:
    """Kernel-target alignment before and after."""
    n = len(next(iter(kernels.values())))
    targets = split.test.targets[:n].cpu().numpy()
    numbers = torch.is_floating_point(split.test.targets)
    task = "regression" if numbers else "classification"
    classes = None if numbers else int(split.test.targets.max()) + 1
    found = {
        name: kernel_target_alignment(kernel, targets, task=task, n_classes=classes)
        for name, kernel in kernels.items()
    }
    return {name: one.value for name, one in found.items()}
