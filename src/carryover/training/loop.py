"""The training loop: a loss, an order of batches, AdamW with a schedule, checkpoints; a resume changes nothing.

Everything random is a function of seed, step and example, so a run that was stopped after any step and taken up
again ends with the weights of one that was not: bit for bit on a CPU with the same number of threads and processes.
Several processes, launched by ``torchrun`` or ``accelerate launch``, share every batch and train what one would.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from carryover._core.errors import InputError
from carryover.training.averaging import MovingAverage
from carryover.training.batch_norm import share_batch_norms
from carryover.training.divergence import WEIGHT, Wrong, diverged, not_finite
from carryover.training.optimizers import adamw, sgd
from carryover.training.order import BatchOrder
from carryover.training.precision import PRECISIONS, Precision
from carryover.training.processes import Processes, launched
from carryover.training.reporting import Reports
from carryover.training.schedules import WarmupCosine
from carryover.training.state import TrainingState, last_checkpoint, load_weights, notes_on_resuming
from carryover.training.step import (
    Step,
    StepLoss,
    StepPenalty,
    accumulate,
    clip_gradient,
    make_accelerator,
    shared,
)


@dataclass(frozen=True)
class LoopSpec:
    """What changes the result of a run.

    ``micro_batch`` divides a batch into parts whose gradients are added up, weighted by their size; for a loss that
    couples the examples of a batch (contrastive ones) another ``micro_batch`` is another loss.
    ``clip_norm`` limits the 2-norm of the whole gradient; 0: none.  ``ema_decay`` keeps a moving average of the
    weights, which is the run's result; 0: none.  ``precision`` "bf16" computes in bfloat16 where that is safe.
    ``optimizer`` "sgd" is gradient descent with heavy-ball ``momentum``.
    Sizes count the examples of all processes together.
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
    ema_decay: float = 0.0
    precision: Precision = "no"
    optimizer: Literal["adamw", "sgd"] = "adamw"
    momentum: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.micro_batch is not None and not 1 <= self.micro_batch <= self.batch_size:
            raise InputError(
                f"micro_batch must lie in [1, {self.batch_size}], the batch size, got {self.micro_batch}"
            )
        if not (self.clip_norm >= 0.0 and self.weight_decay >= 0.0):
            raise InputError(
                f"clip_norm and weight_decay must be >= 0, got {self.clip_norm:g} and {self.weight_decay:g}"
            )
        if not 0.0 <= self.ema_decay < 1.0:
            raise InputError(f"ema_decay must lie in [0, 1), got {self.ema_decay:g}")
        if self.optimizer not in ("adamw", "sgd") or not 0.0 <= self.momentum < 1.0:
            raise InputError(
                f"optimizer must be 'adamw' or 'sgd' and momentum lie in [0, 1), got {self.optimizer!r} and "
                f"{self.momentum:g}"
            )
        if self.precision not in PRECISIONS:
            raise InputError(f"precision must be one of {PRECISIONS}, got {self.precision!r}")


@dataclass(frozen=True)
class LoopOptions:
    """What does not change the result: where a run is kept, how often, and who is told.

    ``stop`` is asked after every step; where it says yes, in any process, the run is checkpointed and left.
    ``tracker`` is one that accelerate supports, by its name.  ``processes``: by default those that were launched.
    """

    folder: Path | None = None
    checkpoint_every: int = 500
    log_every: int = 20
    run_id: str = ""
    progress: Callable[[Mapping[str, Any]], None] = field(default=lambda _: None)
    stop: Callable[[], bool] = field(default=lambda: False)
    tracker: str | None = None
    processes: Processes | None = None

    def __post_init__(self) -> None:
        for name in ("checkpoint_every", "log_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be >= 1 step, got {getattr(self, name)}")


@dataclass(frozen=True)
class LoopResult:
    """``step``: steps finished; ``done``: whether these are all; ``last`` metrics.

    ``weights``, where all steps are done: the network's state, or its moving average; {} in all processes but the
    first.  ``notes``: what was not the same all along, such as the number of threads.
    """

    step: int
    done: bool
    last: Mapping[str, Any]
    weights: Mapping[str, Tensor] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def train(
    network: nn.Module,
    loss: StepLoss,
    *,
    n_examples: int,
    spec: LoopSpec,
    options: LoopOptions,
    penalty: StepPenalty | None = None,
    after_step: Callable[[int], None] = lambda _: None,
    wrong: Wrong = lambda _: None,
) -> LoopResult:
    """Train ``network`` in place by ``spec``, from the last checkpoint in ``options.folder`` where there is one.

    ``penalty`` is added to the loss of every step, once whatever the parts of its batch.
    ``after_step`` is called with the number of finished steps once the weights have moved: a projection goes here.
    ``wrong`` sees every step's metrics before the weights move, and says what else than NaN is a divergence.
    Every process that was launched calls it alike.  Raises DivergedError at a loss, gradient or weight that is not
    finite, and where ``wrong`` says so, with the step and learning rate (the last checkpoint stays); InputError for a
    checkpoint of another run, batches that the processes cannot share alike, and a tracker that is not there.
    """
    processes = options.processes or launched(str(next(network.parameters()).device))
    for name in ("batch_size", "micro_batch"):
        processes.check_divides(name, getattr(spec, name))
    order = BatchOrder(n_examples, spec.batch_size, spec.seed)
    rates = WarmupCosine(spec.learning_rate, spec.steps, spec.warmup_steps, spec.final_learning_rate)
    accelerator = make_accelerator(tracker=options.tracker, folder=options.folder)
    stored = last_checkpoint(options.folder, options.run_id)
    if stored is not None:
        load_weights(network, stored)
    share_batch_norms(network, processes)
    optimizer = _optimizer(network, spec)
    step = shared(accelerator, Step(network, loss, spec.precision, penalty), optimizer)
    average = MovingAverage(network, spec.ema_decay) if spec.ema_decay else None
    notes = () if stored is None else notes_on_resuming(stored, processes)
    state = TrainingState(network, optimizer, average, processes, notes)
    if stored is not None:
        state.restore(stored)
    start = 0 if stored is None else stored.step
    with _reports(accelerator, spec, options, resume_after=start or None) as reports:
        return _Loop(accelerator, step, state, order, rates, spec, options, reports, after_step, wrong).run(
            start
        )


def _reports(
    accelerator: Accelerator, spec: LoopSpec, options: LoopOptions, *, resume_after: int | None
) -> Reports:
    return Reports(
        accelerator,
        folder=options.folder,
        resume_after=resume_after,
        progress=options.progress,
        settings=dataclasses.asdict(spec),
    )


def _optimizer(network: nn.Module, spec: LoopSpec) -> torch.optim.Optimizer:
    given = {"learning_rate": spec.learning_rate, "weight_decay": spec.weight_decay}
    if spec.optimizer == "sgd":
        return sgd(network, momentum=spec.momentum, **given)
    return adamw(network, betas=spec.betas, **given)


@dataclass(frozen=True)
class _Loop:
    """What the steps of a run share."""

    accelerator: Accelerator
    step: nn.Module
    state: TrainingState
    order: BatchOrder
    rates: WarmupCosine
    spec: LoopSpec
    options: LoopOptions
    reports: Reports
    after_step: Callable[[int], None]
    wrong: Wrong

    def run(self, start: int) -> LoopResult:
        """Steps ``start``, ``start`` + 1, ... until all are done or it is asked to stop."""
        state, options, steps = self.state, self.options, self.spec.steps
        saved, last = start, self.reports.last
        state.network.train()
        for number in range(start, steps):
            row = self._gradient(number)
            if (what := not_finite(row) or self.wrong(row)) is not None:
                raise diverged(what, row, saved=saved, folder=options.folder)
            state.optimizer.step()
            finished = number + 1
            self.after_step(finished)
            self.reports.tick()
            if state.average is not None:
                state.average.update(finished)
            stopping = state.processes.any(options.stop())
            if finished % options.log_every == 0 or finished == steps:
                last = self.reports.tell(row)
            if finished % options.checkpoint_every == 0 or finished == steps or stopping:
                if not state.is_finite():
                    raise diverged(WEIGHT, row, saved=saved, folder=options.folder)
                state.save(options.folder, step=finished, run_id=options.run_id)
                saved = finished
            if stopping and finished < steps:
                return LoopResult(finished, False, last)
        return LoopResult(steps, True, last, state.final_weights(), state.notes)

    def _gradient(self, number: int) -> dict[str, Any]:
        """The clipped gradient of one step, and its row of metrics."""
        network, processes = self.state.network, self.state.processes
        rate = self.rates(number)
        for group in self.state.optimizer.param_groups:
            group["lr"] = rate
        network.zero_grad(set_to_none=True)
        batch = torch.from_numpy(self.order.batch(number)).to(next(network.parameters()).device)
        parts = batch.split(self.spec.micro_batch or self.spec.batch_size)
        sums = accumulate(self.accelerator, self.step, parts, number=number, processes=processes)
        size = clip_gradient(network, self.spec.clip_norm)
        return {"step": number + 1, **sums, "learning_rate": rate, "gradient_norm": size}
