"""One step's gradient: the mean loss of a batch that is divided into parts and shared among processes."""

import math
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Protocol

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType, GradientAccumulationPlugin
from torch import Tensor, nn

from carryover._core.errors import InputError
from carryover.training.precision import Precision, computing_in
from carryover.training.processes import Processes
from carryover.training.sharding import single_number
from carryover.training.trackers import check_tracker


class StepLoss(Protocol):
    """The loss of one part of a batch: positions (b,) of the examples, and the step; and its parts by name.

    Of several processes each gives the loss of its own examples; the mean over processes is what is minimised.
    """

    def __call__(self, positions: Tensor, step: int) -> tuple[Tensor, Mapping[str, Tensor]]: ...


class StepPenalty(Protocol):
    """What is added to a step's loss whatever its batch: computed once, however many parts the batch has.

    Every process gives the same value.
    """

    def __call__(self, step: int) -> tuple[Tensor, Mapping[str, Tensor]]: ...


class Step(nn.Module):
    """A loss as a module that holds its network, so that what wraps it for many processes sees every pass."""

    def __init__(
        self, network: nn.Module, loss: StepLoss, precision: Precision, penalty: StepPenalty | None = None
    ) -> None:
        super().__init__()
        self.network, self.loss, self.precision, self.penalty = network, loss, precision, penalty

    def forward(
        self, positions: Tensor, step: int, weight: float, *, last: bool
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """``weight`` times the loss of a part, and with the ``last`` one the penalty; its terms, weighted alike."""
        with computing_in(self.precision, positions.device):
            value, terms = self.loss(positions, step)
            total, terms = weight * value, {name: weight * term.detach() for name, term in terms.items()}
            if last and self.penalty is not None:
                penalty, more = self.penalty(step)
                total, terms = total + penalty, {**terms, **more}
            return total, terms


def make_accelerator(*, tracker: str | None = None, folder: Path | None = None) -> Accelerator:
    """What wraps networks for the processes that were launched: alone not at all, else by DDP or FSDP 2.

    Its own mixed precision and accumulation stay off, whatever the launcher says: both change results, so they are
    in the run's spec.  Raises InputError for other ways of sharing a network and a ``tracker`` that is not there.
    """
    check_tracker(tracker)
    accelerator = Accelerator(
        device_placement=False,
        mixed_precision="no",
        log_with=tracker,
        project_dir=str(folder or Path()),
        gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
    )
    kind = accelerator.distributed_type
    refused = (DistributedType.DEEPSPEED, DistributedType.MEGATRON_LM, DistributedType.XLA)
    if kind in refused or (kind == DistributedType.FSDP and not accelerator.is_fsdp2):
        raise InputError(f"networks are shared by DDP or by FSDP 2 (fsdp_version: 2), not by {kind.value}")
    if accelerator.is_fsdp2:
        # It takes no buffers, such as batch norms have, and every process holds the first weights anyway.
        accelerator.state.fsdp_plugin.cpu_ram_efficient_loading = False
    return accelerator


def shared(accelerator: Accelerator, step: Step, optimizer: torch.optim.Optimizer) -> nn.Module:
    """The step as all processes compute it together; for FSDP the optimizer's parameters become shards in place."""
    if accelerator.is_fsdp2:
        for weight in step.parameters():
            weight.data = weight.data.contiguous()  # FSDP does not cut weights that are kept channels last
    wrapped, _ = accelerator.prepare(step, optimizer)
    if isinstance(wrapped, nn.parallel.DistributedDataParallel):
        # Buffers stay equal without it, since every process computes them from all examples.
        wrapped.broadcast_buffers = False
    return wrapped


def accumulate(
    accelerator: Accelerator, step: nn.Module, parts: tuple[Tensor, ...], *, number: int, processes: Processes
) -> dict[str, float]:
    """The gradient of the batch's mean loss and the penalty, a part at a time; returns their sum and its terms.

    Each process computes its share of every part, and gradients are exchanged once, with the last part.
    """
    n, sums = sum(len(part) for part in parts), {"loss": 0.0}
    for place, part in enumerate(parts, start=1):
        last = place == len(parts)
        with nullcontext() if last else accelerator.no_sync(step):
            value, terms = step(processes.share(part), number, len(part) / n, last=last)
            accelerator.backward(value)
        for name, one in {"loss": value, **terms}.items():
            sums[name] = sums.get(name, 0.0) + float(one.detach())
    if processes.count == 1:
        return sums
    means = processes.mean(torch.tensor(list(sums.values()), dtype=torch.float64, device=processes.device))
    return dict(zip(sums, means.tolist(), strict=True))


def clip_gradient(network: nn.Module, clip_norm: float) -> float:
    """The 2-norm of the whole gradient, which is scaled down to ``clip_norm`` where that is exceeded; 0: never."""
    weights = [weight for weight in network.parameters() if weight.grad is not None]
    limit = clip_norm if clip_norm > 0.0 else math.inf
    return single_number(nn.utils.clip_grad_norm_(weights, limit))
