"""Fine-tuning of a whole encoder with a linear head, for the validations: AdamW, cosine, random crops."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from carryover.objectives.keyed import Key
from carryover.objectives.views import Views
from carryover.training.optimizers import adamw
from carryover.training.order import BatchOrder
from carryover.training.schedules import WarmupCosine


@dataclass(frozen=True)
class FineTuningPlan:
    """The same for a pretrained network and for one from scratch."""

    epochs: int
    views: Views
    batch_size: int = 50
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup_epochs: int = 3


def fine_tune(
    objective: nn.Module, images: Tensor, labels: Tensor, *, plan: FineTuningPlan, seed: int
) -> nn.Module:
    """``objective``'s encoder with a head, trained on uint8 images (n, c, h, w); in evaluation mode."""
    n_classes = int(labels.max()) + 1
    with torch.no_grad():
        width = objective.eval().encode(images[:2].float() / 255.0).shape[1]
    network = _Classifier(objective, nn.Linear(width, n_classes)).requires_grad_(True)
    nn.init.zeros_(network.head.weight)
    nn.init.zeros_(network.head.bias)
    order = BatchOrder(len(images), plan.batch_size, seed)
    steps, warmup = (epochs * order.steps_per_epoch for epochs in (plan.epochs, plan.warmup_epochs))
    rates = WarmupCosine(plan.learning_rate, steps, warmup)
    optimizer = adamw(
        network, learning_rate=plan.learning_rate, weight_decay=plan.weight_decay, betas=(0.9, 0.999)
    )
    network.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rates(step)
        rows = torch.from_numpy(order.batch(step))
        batch = plan.views.draw(images[rows].float() / 255.0, Key(seed, step, rows), "fine-tuning")
        loss = functional.cross_entropy(network(batch), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    return network.eval()


@torch.no_grad()
def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of uint8 images that are classified rightly."""
    found = torch.cat([network(part.float() / 255.0).argmax(dim=1) for part in images.split(500)])
    return float((found == labels).double().mean())


class _Classifier(nn.Module):
    def __init__(self, objective: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.objective, self.head = objective, head

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.objective.encode(images))
