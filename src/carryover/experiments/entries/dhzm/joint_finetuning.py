"""Fine-tuning of one encoder with a head for each of several tasks: their cross-entropies are summed."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional

from carryover._core.errors import InputError
from carryover.objectives.base import Objective
from carryover.training.loop import LoopOptions, LoopSpec, train

_BATCH = 256


@dataclass(frozen=True)
class JointExamples:
    """Grey images and class codes (n,) of each task, by its name."""

    images: UInt8[np.ndarray, "n h w"]
    targets: Mapping[str, Int[np.ndarray, " n"]]

    def __len__(self) -> int:
        return len(self.images)

    def only(self, task: str) -> "JointExamples":
        """The same images with one task."""
        return JointExamples(self.images, {task: self.targets[task]})


class JointNetwork(nn.Module):
    """Images in [0, 1] to scores (n, classes) by task: linear heads, zero at first, on what ``objective`` encodes."""

    def __init__(self, objective: Objective, classes: Mapping[str, int], *, width: int) -> None:
        super().__init__()
        self.objective = objective
        self.heads = nn.ModuleDict({task: nn.Linear(width, number) for task, number in classes.items()})
        for weight in self.heads.parameters():
            nn.init.zeros_(weight)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        features = self.objective.encode(images)
        return {task: head(features) for task, head in self.heads.items()}


@dataclass(frozen=True)
class TuneSpec:
    """AdamW over all weights for ``steps`` batches; half a cosine down from ``learning_rate`` after a tenth."""

    steps: int = 200
    batch_size: int = 32
    learning_rate: float = 1e-3


def fine_tune(
    objective: Objective, data: JointExamples, classes: Mapping[str, int], *, spec: TuneSpec, seed: int
) -> JointNetwork:
    """A copy of ``objective`` fine-tuned on all tasks of ``data`` at once, in evaluation mode.

    The batches depend on ``seed`` alone, so that networks of other tasks see the same ones.  ``classes``: how many each
    task has.  Raises InputError without tasks, DivergedError where a loss or weight is not finite.
    """
    if not data.targets:
        raise InputError("there is no task to fine-tune on: targets are empty")
    width = encoded(objective, data.images[:1]).shape[1]
    device = next(objective.parameters()).device
    network = JointNetwork(
        deepcopy(objective).requires_grad_(True), {task: classes[task] for task in data.targets}, width=width
    ).to(device)
    images = _floats(data.images, device)
    targets = {task: torch.from_numpy(codes).to(device) for task, codes in data.targets.items()}

    def loss(rows: Tensor, _: int) -> tuple[Tensor, dict[str, Tensor]]:
        scores = network(images[rows])
        value = sum(functional.cross_entropy(scores[task], codes[rows]) for task, codes in targets.items())
        return value, {"adaptation_loss": value}

    loop = LoopSpec(
        steps=spec.steps,
        batch_size=min(spec.batch_size, len(data)),
        learning_rate=spec.learning_rate,
        weight_decay=0.0,
        warmup_steps=spec.steps // 10,
        betas=(0.9, 0.999),
        clip_norm=1.0,
        seed=seed,
    )
    train(network, loss, n_examples=len(data), spec=loop, options=LoopOptions())
    return network.eval()


@torch.no_grad()
def joint_errors(network: JointNetwork, data: JointExamples) -> dict[str, float]:
    """The share of wrong classes by task, in evaluation mode."""
    device = next(network.parameters()).device
    parts = [network(part) for part in _floats(data.images, device).split(_BATCH)]
    found = {task: torch.cat([part[task] for part in parts]).argmax(dim=1).cpu().numpy() for task in parts[0]}
    return {task: float((codes != data.targets[task]).mean()) for task, codes in found.items()}


@torch.no_grad()
def encoded(objective: Objective, images: UInt8[np.ndarray, "n h w"]) -> Float[np.ndarray, "n d"]:
    """Features, float64, in evaluation mode; the mode is put back."""
    training = objective.training
    objective.eval()
    try:
        pixels = _floats(images, next(objective.parameters()).device)
        return torch.cat([objective.encode(part) for part in pixels.split(_BATCH)]).double().cpu().numpy()
    finally:
        objective.train(training)


def _floats(images: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.array(images)).to(device, torch.float32)[:, None] / 255.0
