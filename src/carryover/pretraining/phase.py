"""One pretraining phase: the regularised loss of a step, and the pretraining loss measured afterwards."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from carryover._core.results import Estimate
from carryover._core.seeding import derive_seed
from carryover.measures.probe import mean_loss_estimate
from carryover.objectives.base import Objective
from carryover.objectives.keyed import Key
from carryover.objectives.regularizers import Regularizer
from carryover.pretraining.data import ImageSet, RunData
from carryover.pretraining.specs import PretrainSpec
from carryover.training.order import BatchOrder
from carryover.training.processes import ALONE, Processes
from carryover.training.step import StepPenalty

_MEASURED_STEP = (
    -1
)  # masks of the measured loss: the same for every run of a seed, and never those of a training step


class PretrainingLoss:
    """The objective's loss on a batch, and the regulariser's on a batch of the downstream pool.

    Downstream batches follow an order of their own.  Of several ``processes`` each computes its share of both batches.
    """

    def __init__(
        self, objective: Objective, data: RunData, spec: PretrainSpec, processes: Processes = ALONE
    ) -> None:
        self.objective, self.data, self.processes = objective, data, processes
        self.regularizer: Regularizer = spec.regularizer
        self.seed = derive_seed(spec.seed, "objective") % 2**63
        self.penalty_seed = derive_seed(spec.seed, "regularizer") % 2**63
        self.pool_order = None
        if data.downstream is not None:
            batch = spec.train.downstream_batch
            processes.check_divides("downstream_batch", batch)
            self.pool_order = BatchOrder(len(data.downstream), batch, spec.seed, name="downstream order")

    def __call__(self, positions: Tensor, step: int) -> tuple[Tensor, Mapping[str, Tensor]]:
        images = self.data.train.floats(positions)
        key = Key(self.seed, step, positions)
        together = {"processes": self.processes} if self.objective.couples_batch else {}
        loss = self.objective.loss(images, key, **together)
        return loss, {"pretraining_loss": loss}

    @property
    def penalty(self) -> StepPenalty | None:
        """The regulariser of a step, strength times its penalty, and the penalty itself; None without."""
        return None if self.regularizer.kind == "none" else self._penalty_of_step

    def _penalty_of_step(self, step: int) -> tuple[Tensor, Mapping[str, Tensor]]:
        penalty = self._penalty(step)
        return self.regularizer.strength * penalty, {f"{self.regularizer.kind}_penalty": penalty}

    def _penalty(self, step: int) -> Tensor:
        images = key = None
        if self.regularizer.needs_images:
            pool = self.data.downstream
            rows = self.processes.share(torch.from_numpy(self.pool_order.batch(step)))
            rows = rows.to(pool.pixels.device)
            images, key = pool.floats(rows), Key(self.penalty_seed, step, rows)
        return self.regularizer.penalty(self.objective, images, key, self.processes)


@torch.no_grad()
def measured_losses(
    objective: Objective, images: ImageSet, *, seed: int, batch_size: int = 256
) -> Float[np.ndarray, " m"]:
    """The pretraining loss of each image in evaluation mode, with one fixed mask (or pair of views) each.

    For objectives whose loss couples a batch, of each batch of ``batch_size``; a short rest is left out.
    """
    training = objective.training
    objective.eval()
    key_seed = derive_seed(seed, "measured") % 2**63
    values = []
    coupled = getattr(objective, "couples_batch", False)
    step = batch_size if coupled else 1
    try:
        for start in range(0, len(images) - (step - 1), batch_size):
            rows = torch.arange(start, min(start + batch_size, len(images)), device=images.pixels.device)
            key = Key(key_seed, _MEASURED_STEP, rows)
            if coupled:
                values.append(float(objective.loss(images.floats(rows), key)))
            else:
                values.extend(objective.losses(images.floats(rows), key).tolist())
    finally:
        objective.train(training)
    return np.array(values, dtype=np.float64)


def loss_estimate(losses: Float[np.ndarray, " m"]) -> Estimate:
    """The mean of measured losses with its interval; not applicable for fewer than two, failed for NaN or infinity."""
    if len(losses) < 2:
        reason = "there are too few images to measure the loss on: fewer than two, or than two batches"
        return Estimate.missing("not_applicable", reason)
    if not np.isfinite(losses).all():
        return Estimate.missing(
            "failed", "losses are NaN or infinite: the run diverged, try a smaller learning rate"
        )
    return mean_loss_estimate(losses)
