"""Running one phase of a plan: the exact probe, or descent under the phase's constraint."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from carryover._core.errors import InputError
from carryover._core.seeding import derive_seed
from carryover.adaptation.anchoring import anchored, ball_radius
from carryover.adaptation.best import BestWeights
from carryover.adaptation.constraints import Anchor
from carryover.adaptation.diverging import exploded, put_back
from carryover.adaptation.lora import add_low_rank
from carryover.adaptation.network import AdaptedNetwork
from carryover.adaptation.plans import Phase
from carryover.adaptation.selection import train_only
from carryover.measures.ridge import fit_ridge_path
from carryover.objectives.keyed import Key
from carryover.objectives.views import Views
from carryover.training.divergence import DivergedError
from carryover.training.loop import LoopOptions, LoopSpec, train
from carryover.training.step import StepLoss

STILL = Views(least_area=1.0, flip=0.0, jitter=0.0, grey=0.0)
_BATCH = 256


@dataclass(frozen=True)
class Examples:
    """Preprocessed images (n, c, h, w), float, and targets: class codes (n,) int64, or numbers (n,) float."""

    images: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.images)

    @property
    def is_classification(self) -> bool:
        return not self.targets.is_floating_point()


@dataclass(frozen=True)
class Budget:
    """What every plan gets: ``steps`` of ``batch_size`` examples, ``views`` of them (crops and flips), a seed."""

    steps: int = 200
    batch_size: int = 32
    warmup: float = 0.1
    clip_norm: float = 1.0
    views: Views = STILL
    seed: int = 0


@dataclass(frozen=True)
class PhaseResult:
    """``steps`` descended, ``best_step`` kept (None: the last), distances from the pretrained weights by parameter.

    ``diverged_at``: the step at which the descent was stopped because it diverged, None where it did not; the weights
    are then the best ones before it, and ``warning`` says so.
    """

    name: str
    steps: int
    best_step: int | None = None
    penalty: float | None = None
    distances: Mapping[str, float] = field(default_factory=dict)
    done: bool = True
    diverged_at: int | None = None
    warning: str | None = None


def run_phase(
    network: AdaptedNetwork,
    phase: Phase,
    data: Examples,
    *,
    budget: Budget,
    validation: Examples | None = None,
    options: LoopOptions | None = None,
    pretrained: Mapping[str, Tensor] | None = None,
    on_start: Callable[[], None] = lambda: None,
) -> PhaseResult:
    """Adapt ``network`` in place by one phase.

    ``validation`` (a part of the training labels, never the test's) is needed where the phase keeps the best weights.
    ``pretrained`` weights by name are what distances, penalty and ball are about: by default the network's as they are.
    ``on_start`` is called once the network is as the phase's descent finds it: low-rank additions made, what trains
    chosen; for the ridge probe, before its solution.
    A descent that diverges (a loss, gradient or weight that is NaN or infinite, a loss of EXPLODED times what scores of
    0 lose) is stopped: with the best weights before it where the phase keeps those.  Where there are none
    NotComputedError is raised with step and learning rate, and checkpoints stay where they are.
    Raises InputError for patterns that match nothing and for one class alone.
    """
    if data.is_classification and len(data.targets.unique()) < 2:
        raise InputError("all training examples have the same class: nothing can be learned from them")
    if phase.solve == "ridge":
        train_only(network, phase.trains)
        on_start()
        return _probe(network, phase, data)
    if phase.keep == "best_on_validation" and validation is None:
        raise InputError(
            f"phase {phase.name!r} keeps the best weights on validation examples, and there are none"
        )
    given = {"validation": validation, "options": options or LoopOptions(), "pretrained": pretrained}
    return _descend(network, phase, data, budget=budget, on_start=on_start, **given)


def _probe(network: AdaptedNetwork, phase: Phase, data: Examples) -> PhaseResult:
    """The head of the ridge probe; its scores are divided by the probe's temperature, so that they are logits."""
    features = all_features(network, data.images).astype(np.float64)
    task = "classification" if data.is_classification else "regression"
    n_classes = network.head.out_features if data.is_classification else None
    path = fit_ridge_path(features, data.targets.cpu().numpy(), task=task, n_classes=n_classes)
    scale = 1.0 / (path.temperature or 1.0)
    network.set_head(
        torch.from_numpy(scale * path.coefficients.T).to(network.head.weight),
        torch.from_numpy(scale * path.intercept).to(network.head.bias),
    )
    return PhaseResult(phase.name, 0, penalty=path.penalty)


def _descend(
    network: AdaptedNetwork,
    phase: Phase,
    data: Examples,
    *,
    budget: Budget,
    validation: Examples | None,
    options: LoopOptions,
    pretrained: Mapping[str, Tensor] | None,
    on_start: Callable[[], None],
) -> PhaseResult:
    _open(network, phase, seed=budget.seed)
    on_start()
    anchor = anchored(network, pretrained)
    best = BestWeights(network) if phase.keep == "best_on_validation" else None
    steps = phase_steps(phase, budget)
    zeros = torch.zeros(len(data), network.head.out_features, device=data.targets.device)
    done, at, warning = True, None, None
    try:
        found = train(
            network if best is None else best,
            phase_loss(network, phase, anchor, data=data, budget=budget),
            n_examples=len(data),
            spec=loop_spec(phase, budget, n=len(data)),
            options=options,
            after_step=_after_step(phase, anchor, best, steps=steps, validation=validation),
            wrong=exploded(float(prediction_loss(zeros, data.targets))),
        )
        steps, done = found.step, found.done
        if done and best is not None:
            best.restore()
    except DivergedError as error:
        steps, at, warning = error.step - 1, error.step, put_back(phase, error, best)
    network.eval()
    best_step = None if best is None else int(best.step)
    return PhaseResult(phase.name, steps, best_step, None, dict(anchor.distances()), done, at, warning)


def _open(network: AdaptedNetwork, phase: Phase, *, seed: int) -> None:
    """Let what the phase trains have gradients, and batch norms do as it says."""
    patterns = phase.trains
    if phase.lora is not None:
        patterns = add_low_rank(network, phase.lora, seed=derive_seed(seed, "lora", phase.name))
    train_only(network, patterns)
    network.batch_norm = phase.batch_norm


def _after_step(
    phase: Phase, anchor: Anchor, best: BestWeights | None, *, steps: int, validation: Examples | None
) -> Callable[[int], None]:
    """What is done once the weights have moved: onto the ball, and looking whether they are the best so far."""
    radius = ball_radius(phase, anchor)

    def after_step(finished: int) -> None:
        if radius < math.inf:
            anchor.project(radius, by_layer=phase.by_layer)
        if best is not None and (finished % best_every(steps) == 0 or finished == steps):
            best.offer(finished, -mean_loss(best.network, validation))

    return after_step


def phase_loss(
    network: nn.Module, phase: Phase, anchor: Anchor, *, data: Examples, budget: Budget
) -> StepLoss:
    """What the phase descends: the prediction loss of ``network`` on views of the batch, and its penalty."""
    seed = derive_seed(budget.seed, "views", phase.name) % 2**63

    def loss(rows: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        images = budget.views.draw(data.images[rows], Key(seed, step, rows), "adaptation")
        value = prediction_loss(network(images), data.targets[rows])
        if phase.l2_sp == 0.0:
            return value, {"adaptation_loss": value}
        penalty = anchor.half_squared_distance()
        return value + phase.l2_sp * penalty, {"adaptation_loss": value, "l2_sp_penalty": penalty}

    return loss


def phase_steps(phase: Phase, budget: Budget) -> int:
    """The phase's share of the budget's steps, 1 at least."""
    return max(1, round(phase.share * budget.steps))


def loop_spec(phase: Phase, budget: Budget, *, n: int) -> LoopSpec:
    """How the phase descends on n examples."""
    steps = phase_steps(phase, budget)
    return LoopSpec(
        steps=steps,
        batch_size=min(budget.batch_size, n),
        learning_rate=phase.learning_rate,
        weight_decay=phase.weight_decay,
        optimizer=phase.optimizer,
        momentum=phase.momentum,
        warmup_steps=round(budget.warmup * steps),
        betas=(0.9, 0.999),
        clip_norm=budget.clip_norm,
        seed=derive_seed(budget.seed, "order", phase.name) % 2**32,
    )


def best_every(steps: int) -> int:
    """How often weights are offered as the best: twenty times in a phase."""
    return max(1, steps // 20)


def prediction_loss(scores: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy in nats for class codes, mean squared error for numbers."""
    if targets.is_floating_point():
        return functional.mse_loss(scores.squeeze(1), targets)
    return functional.cross_entropy(scores, targets)


@torch.no_grad()
def all_scores(network: AdaptedNetwork, images: Tensor) -> Tensor:
    """Scores (n, K) in evaluation mode; the mode is put back."""
    training = network.training
    network.eval()
    try:
        return torch.cat([network(part) for part in images.split(_BATCH)])
    finally:
        network.train(training)


def mean_loss(network: AdaptedNetwork, data: Examples) -> float:
    """The mean prediction loss in evaluation mode."""
    return float(prediction_loss(all_scores(network, data.images), data.targets))


@torch.no_grad()
def all_features(network: AdaptedNetwork, images: Tensor) -> np.ndarray:
    """Features (n, width) in evaluation mode."""
    training = network.training
    network.eval()
    try:
        return torch.cat([network.features(part) for part in images.split(_BATCH)]).cpu().numpy()
    finally:
        network.train(training)
