"""The training loop: a loss, an order of batches, AdamW with a schedule, checkpoints; a resume changes nothing.

Everything random is a function of seed, step and example, so a run that was stopped after any step and taken up
again ends with the weights of one that was not: bit for bit on a CPU with the same number of threads.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from carryover._core.errors import InputError, NotComputedError
from carryover.training.checkpoint import Checkpoint, checkpoint_folders, load_checkpoint, save_checkpoint
from carryover.training.metrics import MetricsFile
from carryover.training.optimizers import adamw, optimizer_tensors, restore_optimizer
from carryover.training.order import BatchOrder
from carryover.training.schedules import WarmupCosine


class StepLoss(Protocol):
    """The loss of one part of a batch: positions (b,) of the examples, and the step; and its parts by name."""

    def __call__(self, positions: Tensor, step: int) -> tuple[Tensor, Mapping[str, Tensor]]: ...


@dataclass(frozen=True)
class LoopSpec:
    """What changes the result of a run.

    ``micro_batch`` divides a batch into parts whose gradients are added up, weighted by their size; for a loss that
    couples the examples of a batch (contrastive ones) another ``micro_batch`` is another loss.
    ``clip_norm`` limits the 2-norm of the whole gradient; 0: none.
    """

    steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 0.05
    warmup_steps: int = 0
    final_learning_rate: float = 0.0
    betas: tuple[float, float] = (0.9, 0.95)
    clip_norm: float = 0.0
    micro_batch: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.micro_batch is not None and not 1 <= self.micro_batch <= self.batch_size:
            raise InputError(
                f"micro_batch must lie in [1, {self.batch_size}], the batch size, got {self.micro_batch}"
            )
        if self.clip_norm < 0.0 or self.weight_decay < 0.0:
            raise InputError(
                f"clip_norm and weight_decay must be >= 0, got {self.clip_norm:g} and {self.weight_decay:g}"
            )


@dataclass(frozen=True)
class LoopOptions:
    """What does not change the result: where a run is kept, how often, and who is told.

    ``stop`` is asked after every step; where it says yes the run is checkpointed and left.
    """

    folder: Path | None = None
    checkpoint_every: int = 500
    log_every: int = 20
    run_id: str = ""
    progress: Callable[[Mapping[str, Any]], None] = field(default=lambda _: None)
    stop: Callable[[], bool] = field(default=lambda: False)


@dataclass(frozen=True)
class LoopResult:
    """``step``: steps finished; ``done``: whether these are all; ``last`` metrics."""

    step: int
    done: bool
    last: Mapping[str, Any]


def train(
    network: nn.Module, loss: StepLoss, *, n_examples: int, spec: LoopSpec, options: LoopOptions
) -> LoopResult:
    """Train ``network`` in place by ``spec``, from the last checkpoint in ``options.folder`` where there is one.

    Raises NotComputedError at a loss or gradient that is not finite, with the step and learning rate (the last
    checkpoint stays); InputError for a checkpoint of another run.
    """
    order = BatchOrder(n_examples, spec.batch_size, spec.seed)
    rates = WarmupCosine(spec.learning_rate, spec.steps, spec.warmup_steps, spec.final_learning_rate)
    optimizer = adamw(
        network, learning_rate=spec.learning_rate, weight_decay=spec.weight_decay, betas=spec.betas
    )
    start = _resume(network, optimizer, options)
    metrics = None
    if options.folder is not None:
        metrics = MetricsFile(options.folder / "metrics.jsonl", resume_after=start if start else None)
    saved, last, clock = start, {}, _Clock(spec.batch_size)
    network.train()
    try:
        for step in range(start, spec.steps):
            for group in optimizer.param_groups:
                group["lr"] = rates(step)
            value, parts = _accumulate(network, loss, order, step=step, spec=spec)
            size = _gradient_norm(network, spec.clip_norm)
            if not (math.isfinite(value) and math.isfinite(size)):
                raise NotComputedError(_diverged(step, rates(step), value, size, saved, options))
            optimizer.step()
            clock.tick()
            finished = step + 1
            stopping = options.stop()
            if finished % options.log_every == 0 or finished == spec.steps:
                last = {
                    "step": finished,
                    "loss": value,
                    **parts,
                    "learning_rate": rates(step),
                    "gradient_norm": size,
                }
                last["images_per_second"] = clock.rate()
                last["seconds_left"] = clock.seconds_a_step() * (spec.steps - finished)
                options.progress(last)
                if metrics is not None:
                    metrics.write(last)
            if finished % options.checkpoint_every == 0 or finished == spec.steps or stopping:
                _save(network, optimizer, finished, options)
                saved = finished
            if stopping and finished < spec.steps:
                return LoopResult(finished, False, last)
    finally:
        if metrics is not None:
            metrics.close()
    return LoopResult(spec.steps, True, last)


def _accumulate(
    network: nn.Module, loss: StepLoss, order: BatchOrder, *, step: int, spec: LoopSpec
) -> tuple[float, dict[str, float]]:
    """The gradient of the batch's mean loss, a micro-batch at a time; returns the loss and its parts."""
    device = next(network.parameters()).device
    positions = torch.from_numpy(order.batch(step)).to(device)
    network.zero_grad(set_to_none=True)
    total, sums = 0.0, {}
    for part in positions.split(spec.micro_batch or spec.batch_size):
        share = len(part) / spec.batch_size
        value, parts = loss(part, step)
        (share * value).backward()
        total += share * float(value.detach())
        for name, one in parts.items():
            sums[name] = sums.get(name, 0.0) + share * float(one.detach())
    return total, sums


def _gradient_norm(network: nn.Module, clip_norm: float) -> float:
    weights = [weight for weight in network.parameters() if weight.grad is not None]
    limit = clip_norm if clip_norm > 0.0 else math.inf
    return float(nn.utils.clip_grad_norm_(weights, limit))


def _diverged(step: int, rate: float, value: float, size: float, saved: int, options: LoopOptions) -> str:
    what = f"the loss is {value}" if not math.isfinite(value) else f"the gradient's norm is {size}"
    kept = (
        f"the checkpoint of step {saved} stays in {options.folder}"
        if options.folder and saved
        else "nothing was saved"
    )
    return f"{what} at step {step + 1}, learning rate {rate:.3g}: training stopped, {kept}. Try a smaller learning rate"


def _resume(network: nn.Module, optimizer: torch.optim.Optimizer, options: LoopOptions) -> int:
    """Load the last checkpoint, if any; returns the number of finished steps."""
    found = [] if options.folder is None else checkpoint_folders(options.folder / "checkpoints")
    if not found:
        return 0
    stored = load_checkpoint(found[-1])
    if stored.run_id != options.run_id:
        raise InputError(
            f"{found[-1]} belongs to another run (id {stored.run_id[:12]}, this is {options.run_id[:12]}): "
            "choose another folder, or remove it"
        )
    network.load_state_dict(stored.weights)
    restore_optimizer(optimizer, network, stored.optimizer)
    return stored.step


def _save(network: nn.Module, optimizer: torch.optim.Optimizer, step: int, options: LoopOptions) -> None:
    if options.folder is None:
        return
    state = Checkpoint(
        step,
        options.run_id,
        network.state_dict(),
        optimizer_tensors(optimizer, network),
        {"threads": torch.get_num_threads()},
    )
    save_checkpoint(options.folder / "checkpoints", state)


class _Clock:
    """Images a second and seconds a step, over this process's steps."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size, self.steps, self.started = batch_size, 0, time.monotonic()

    def tick(self) -> None:
        self.steps += 1

    def seconds_a_step(self) -> float:
        return (time.monotonic() - self.started) / max(self.steps, 1)

    def rate(self) -> float:
        return self.batch_size / max(self.seconds_a_step(), 1e-12)
