"""What a plan will reach, before it is run: leave-one-out of the probe, and of the tangent probe.

The tangent probe is kernel ridge regression with the kernel of the gradients by what the plan's last phase trains: what
fine-tuning comes to where the network stays in its linear regime.  Whether it does is looked at by a pilot, a short run
of the plan; where the kernel leaves the one that the forecast was made with, the forecast abstains.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from carryover._core.errors import InputError, NotComputedError
from carryover._core.results import Estimate
from carryover._core.seeding import derive_seed
from carryover.adaptation.lora import add_low_rank
from carryover.adaptation.measuring_specs import ForecastSpec
from carryover.adaptation.network import AdaptedNetwork
from carryover.adaptation.outcome import MakeNetwork, Split, new_network, run_phases
from carryover.adaptation.phases import Budget, Examples, all_features
from carryover.adaptation.plans import Plan
from carryover.adaptation.regime_map import LINEAR_BELOW
from carryover.adaptation.selection import train_only
from carryover.measures.kernel_change import LEAST_EXAMPLES, kernel_distance_estimate
from carryover.measures.kernel_ridge import fit_kernel_ridge_path
from carryover.measures.probe import accuracy_estimate, r2_estimate
from carryover.measures.ridge import fit_ridge_path
from carryover.models.initial_scales import InitialScales
from carryover.models.ntk import trace_kernel
from carryover.models.patterns import matching
from carryover.models.seeding import seeded_torch

PROBE, TANGENT = "ridge leave-one-out", "tangent kernel ridge leave-one-out"
BOUNDED = "the tangent probe trains to the end, and knows nothing of a ball that stops the weights before"


@dataclass(frozen=True)
class Forecast:
    """``expected``: accuracy (R2 for numbers) with its interval, or why there is none.

    ``unchecked``: what the tangent probe says whether or not the linear regime holds; ``pilot_distance``: centred
    kernel distance of the short run from the kernel of the forecast.  Both None for the probe.
    """

    method: str
    expected: Estimate
    unchecked: Estimate | None = None
    pilot_distance: Estimate | None = None


def forecast_plan(
    make: MakeNetwork,
    plan: Plan,
    split: Split,
    *,
    budget: Budget,
    scales: InitialScales | None = None,
    spec: ForecastSpec | None = None,
) -> Forecast:
    """What ``plan`` is expected to reach with the training examples of ``split``; nothing else of it is looked at.

    A plan that ends with the ridge probe: leave-one-out of that probe.  Others: leave-one-out of kernel ridge
    on the trace kernel of ``spec.heads`` random outputs, each a Gaussian head of the probe's mean size, so that no
    label enters the kernel.  The interval is that of n leave-one-out outcomes taken as independent.
    Raises InputError for patterns that match nothing and for a memory budget that was given and is too small.
    """
    spec = spec or ForecastSpec()
    network, _ = new_network(make, scales, split.train)
    if plan.phases[-1].solve == "ridge":
        return Forecast(PROBE, _quality(split.train, _probe(network, split.train).loo_scores))
    if plan.phases[-1].is_bounded:
        return Forecast(TANGENT, Estimate.missing("abstained", BOUNDED))
    some = _some(split.train, spec.most_labels)
    if len(some) < LEAST_EXAMPLES:
        reason = f"the tangent probe needs {LEAST_EXAMPLES} training labels or more, got {len(some)}"
        return Forecast(TANGENT, Estimate.missing("abstained", reason))
    try:
        kernel = tangent_kernel(network, plan, some, seed=budget.seed, spec=spec)
    except InputError as error:
        if spec.memory_mib is not None and "memory_budget" in str(error):
            raise
        return Forecast(TANGENT, Estimate.missing("abstained", str(error)))
    unchecked = _tangent_probe(kernel, some)
    try:
        moved = _pilot_kernel(make, plan, split, some, budget=budget, scales=scales, spec=spec)
    except NotComputedError as error:
        return Forecast(TANGENT, Estimate.missing("abstained", f"the pilot run diverged: {error}"), unchecked)
    distance = kernel_distance_estimate(kernel, moved, centred=True)
    return Forecast(TANGENT, _checked(unchecked, distance), unchecked, distance)


def forecast_record(found: Forecast) -> dict[str, Any]:
    """As plain data for result.json."""
    return {
        "method": found.method,
        "accuracy": dataclasses.asdict(found.expected),
        "unchecked": None if found.unchecked is None else dataclasses.asdict(found.unchecked),
        "pilot_distance": None if found.pilot_distance is None else dataclasses.asdict(found.pilot_distance),
    }


def _checked(unchecked: Estimate, distance: Estimate) -> Estimate:
    """The forecast where the pilot stayed in the linear regime."""
    if not unchecked.ok:
        return unchecked
    if not distance.ok:
        return Estimate.missing(
            "abstained", f"whether the linear regime holds is not known: {distance.reason}"
        )
    low = distance.value if distance.interval is None else distance.interval[0]
    if low < LINEAR_BELOW:
        return unchecked
    return Estimate.missing(
        "abstained",
        f"the linear regime does not hold: after a short run the tangent kernel is {distance.value:.2g} away from the "
        f"one a forecast would be made with (border {LINEAR_BELOW:g})",
    )


def _probe(network: AdaptedNetwork, data: Examples) -> Any:
    targets = data.targets.cpu().numpy()
    task = "classification" if data.is_classification else "regression"
    n_classes = network.head.out_features if data.is_classification else None
    features = all_features(network, data.images).astype(np.float64)
    return fit_ridge_path(features, targets, task=task, n_classes=n_classes)


def _some(data: Examples, most: int) -> Examples:
    """The first ``most`` examples: splits are drawn at random, so these are a random part."""
    return Examples(data.images[:most], data.targets[:most])


def tangent_kernel(
    network: AdaptedNetwork, plan: Plan, data: Examples, *, seed: int, spec: ForecastSpec
) -> np.ndarray:
    """The trace kernel (n, n) of random heads by what the last phase trains."""
    put_random_head(network, data, n_outputs=spec.heads, seed=seed)
    names = _trained_names(network, plan, seed)
    return trace_kernel(network, data.images, memory_budget=spec.memory_budget, parameters=names)


def _trained_names(network: AdaptedNetwork, plan: Plan, seed: int) -> list[str]:
    last = plan.phases[-1]
    if last.lora is None:
        return matching((name for name, _ in network.named_parameters()), last.trains)
    if not any(".lora_" in name for name, _ in network.named_parameters()):
        patterns = add_low_rank(network, last.lora, seed=derive_seed(seed, "lora", last.name))
        return train_only(network, patterns)
    return [name for name, _ in network.named_parameters() if ".lora_" in name or name.startswith("head.")]


@torch.no_grad()
def put_random_head(network: AdaptedNetwork, data: Examples, *, n_outputs: int, seed: int) -> None:
    """A head of ``n_outputs`` Gaussian rows whose mean size is that of the probe's, which is all it knows of labels."""
    path = _probe(network, data)
    size = float(np.linalg.norm(path.coefficients, axis=0).mean()) / (path.temperature or 1.0)
    width = network.head.in_features
    like = network.head.weight
    with seeded_torch(derive_seed(seed, "random head") % 2**63):
        head = nn.Linear(width, n_outputs)
        head.weight.normal_(0.0, (size or 1.0) / width**0.5)
        nn.init.zeros_(head.bias)
    network.head = head.to(like)


def _tangent_probe(kernel: np.ndarray, data: Examples) -> Estimate:
    targets = data.targets.cpu().numpy()
    task = "classification" if data.is_classification else "regression"
    n_classes = int(targets.max()) + 1 if data.is_classification else None
    try:
        path = fit_kernel_ridge_path(kernel, targets, task=task, n_classes=n_classes)
    except InputError as error:
        # Gradients of very different sizes leave a kernel in single precision that is none.
        return Estimate.missing("failed", f"the tangent kernel cannot be used: {error}")
    if path.status != "ok":
        return Estimate.missing("failed", path.reason)
    return _quality(data, path.scores)


def _quality(data: Examples, scores: np.ndarray) -> Estimate:
    """Accuracy, or R2, of leave-one-out scores (n, k)."""
    targets = data.targets.cpu().numpy()
    if data.is_classification:
        return accuracy_estimate(scores.argmax(axis=1) == targets)
    return r2_estimate(targets, scores[:, 0])


def _pilot_kernel(
    make: MakeNetwork,
    plan: Plan,
    split: Split,
    data: Examples,
    *,
    budget: Budget,
    scales: InitialScales | None,
    spec: ForecastSpec,
) -> np.ndarray:
    """The tangent kernel after a short run of the plan, with the same random heads in the place of the trained one."""
    network, _ = new_network(make, scales, split.train)
    short = dataclasses.replace(budget, steps=max(1, round(spec.pilot * budget.steps)))
    run_phases(network, plan, split, budget=short)
    return tangent_kernel(network, plan, data, seed=budget.seed, spec=spec)
