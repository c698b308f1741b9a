"""One cell of a26_modular: pretrain at its scales, probe before and after, fine-tune from both on few samples."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from carryover._core.seeding import derive_seed
from carryover.experiments.entries.a26.modular_network import PairEncoder, PairNetwork, new_readout
from carryover.experiments.entries.a26.modular_protocol import (
    PRETRAINED,
    RANDOM,
    TASKS,
    TRAINED,
    ModularCell,
    all_pairs,
    results,
    task_labels,
)
from carryover.experiments.rows import Row
from carryover.measures.cka import debiased_cka
from carryover.measures.ridge import fit_ridge_path
from carryover.models.initial_scales import InitialScales, cancelled_scales, scale_weights
from carryover.models.seeding import seeded_torch
from carryover.training.divergence import DivergedError
from carryover.training.loop import LoopOptions, LoopSpec, train

EARLY = ("encoder.tokens.*", "encoder.places.*")
_BETAS = (0.9, 0.98)
_WARMUP, _LOOK_EVERY = 10, 20


@dataclass(frozen=True)
class CellData:
    """Pairs as tensors: ``numbers`` (p * p, 2) and positions of those that pretraining sees, and of the test."""

    numbers: Tensor
    seen: Tensor
    held_out: Tensor


def run_modular(cell: ModularCell, _: Path | None = None) -> Row:
    """Pretraining's accuracy on held-out pairs, probes of the encoder before and after it, and every fine-tuning.

    Columns of a fine-tuning are named "task/samples/readout/start/what".
    """
    pairs = all_pairs(cell)
    data = CellData(*(torch.from_numpy(part) for part in (pairs.numbers, pairs.seen, pairs.held_out)))
    network = initial_network(cell)
    encoders = {RANDOM: copy.deepcopy(network.encoder), TRAINED: network.encoder}
    row: Row = {"cancelled_layers": len(_cancelled(network, data))}
    row |= _pretrained(network, data, cell)
    for (start, encoder), task in product(encoders.items(), TASKS):
        row[f"{task}_probe_{start}"] = probe_accuracy(encoder, data, cell=cell, task=task)
    for task, samples, readout, (start, encoder) in product(
        TASKS, cell.samples, cell.readouts, encoders.items()
    ):
        tuning = FineTuning(cell, task, samples, readout)
        found = fine_tuned(encoder, data, tuning)
        row |= {f"{task}/{samples}/{readout:g}/{start}/{key}": value for key, value in found.items()}
    return row


def initial_network(cell: ModularCell) -> PairNetwork:
    """Weights of the seed, multiplied by the cell's scales; the same draw for all scales."""
    with seeded_torch(derive_seed(cell.seed, "weights")):
        encoder = PairEncoder(cell.modulus, width=cell.width, heads=cell.heads)
        outputs = len(PRETRAINED) * cell.modulus
        network = PairNetwork(encoder, new_readout(cell.width, outputs, scale=1.0))
    whole = cell.start_scale * cell.scale
    scales = InitialScales(all_weights=whole, early=cell.early_scale, readout=whole, early_parameters=EARLY)
    scale_weights(network, network.encoder, scales)
    return network


def _cancelled(network: PairNetwork, data: CellData) -> list[str]:
    """Layers whose scale changes nothing that the encoder computes; none, for there is no normalisation."""
    names = [f"encoder.{name}" for name, _ in network.encoder.named_parameters()]
    return cancelled_scales(network, network.encoder, data.numbers, features=network.encoder, changed=names)


def _pretrained(network: PairNetwork, data: CellData, cell: ModularCell) -> Row:
    """Train in place on all operations at once; accuracies on held-out pairs, and their mean."""
    p = cell.modulus
    targets = torch.from_numpy(
        np.stack([results(name, data.numbers.numpy(), p) for name in PRETRAINED], axis=1)
    )

    def loss(positions: Tensor, _: int) -> tuple[Tensor, dict[str, Tensor]]:
        rows = data.seen[positions]
        logits = network(data.numbers[rows]).unflatten(1, (len(PRETRAINED), p))
        return cross_entropy(logits.transpose(1, 2), targets[rows]), {}

    spec = LoopSpec(
        cell.steps,
        min(cell.batch_size, len(data.seen)),
        cell.learning_rate,
        weight_decay=cell.weight_decay,
        warmup_steps=min(_WARMUP, cell.steps),
        betas=_BETAS,
        seed=derive_seed(cell.seed, "pretraining"),
    )
    last = train(network, loss, n_examples=len(data.seen), spec=spec, options=_told(cell.steps)).last
    network.eval()
    with torch.no_grad():
        guessed = network(data.numbers[data.held_out]).unflatten(1, (len(PRETRAINED), p)).argmax(dim=2)
    shares = (guessed == targets[data.held_out]).double().mean(dim=0).tolist()
    named = {f"held_out_{name}": share for name, share in zip(PRETRAINED, shares, strict=True)}
    return {"pretraining_loss": last["loss"], "held_out_accuracy": float(np.mean(shares)), **named}


def probe_accuracy(encoder: nn.Module, data: CellData, *, cell: ModularCell, task: str) -> float:
    """Held-out accuracy of a ridge probe on frozen features, fitted on the most samples that fine-tuning has."""
    rows = data.seen[: max(cell.samples)]
    labels = task_labels(cell, task, data.numbers.numpy())
    path = fit_ridge_path(_features(encoder, data.numbers[rows]), labels[rows], n_classes=cell.modulus)
    scores = path.predict_scores(_features(encoder, data.numbers[data.held_out]))
    return float((scores.argmax(axis=1) == labels[data.held_out]).mean())


@dataclass(frozen=True)
class FineTuning:
    """One fine-tuning of a cell; ``readout``: the scale gamma of the new readout."""

    cell: ModularCell
    task: str
    samples: int
    readout: float


def fine_tuned(encoder: nn.Module, data: CellData, tuning: FineTuning) -> Row:
    """Train a copy of ``encoder`` with a new readout; accuracy on held-out pairs, on samples (``fitted``), steps.

    The logits at the start are subtracted, so that the function begins at 0 whatever the readout.  ``similarity``:
    debiased CKA of the held-out features before and after.  A fine-tuning that diverges says so in its ``status``.
    """
    cell = tuning.cell
    labels = torch.from_numpy(task_labels(cell, tuning.task, data.numbers.numpy()))
    with seeded_torch(derive_seed(cell.seed, "readout", tuning.task)):
        readout = new_readout(cell.width, cell.modulus, scale=tuning.readout)
    network = PairNetwork(copy.deepcopy(encoder), readout)
    with torch.no_grad():
        start = network(data.numbers)
    rows = data.seen[: tuning.samples]

    def loss(positions: Tensor, _: int) -> tuple[Tensor, dict[str, Tensor]]:
        own = rows[positions]
        return cross_entropy(network(data.numbers[own]) - start[own], labels[own]), {}

    watch = FitWatch(lambda: float(loss(torch.arange(len(rows)), 0)[0]), cell.until_loss)
    try:
        train(
            network,
            loss,
            n_examples=len(rows),
            spec=_tuning_spec(tuning),
            options=_told(cell.finetuning_steps, stop=watch.is_fitted),
            after_step=watch.look,
        )
    except DivergedError as error:
        return {"status": "failed", "reason": str(error)}
    network.eval()
    with torch.no_grad():
        right = (network(data.numbers) - start).argmax(dim=1) == labels
    before, after = (_features(one, data.numbers[data.held_out]) for one in (encoder, network.encoder))
    return {
        "accuracy": float(right[data.held_out].double().mean()),
        "fitted": float(right[rows].double().mean()),
        "steps": watch.step,
        "similarity": debiased_cka(before, after).value,
        "status": "ok",
        "reason": None,
    }


class FitWatch:
    """Asks every few steps whether the samples are fitted: whether their mean ``loss`` is below ``limit``."""

    def __init__(self, loss: Callable[[], float], limit: float) -> None:
        self.loss, self.limit, self.step, self.low = loss, limit, 0, False

    def look(self, step: int) -> None:
        """Called after each step with the number of finished ones."""
        self.step = step
        if step % _LOOK_EVERY == 0:
            with torch.no_grad():
                self.low = self.loss() < self.limit

    def is_fitted(self) -> bool:
        return self.low


def _tuning_spec(tuning: FineTuning) -> LoopSpec:
    cell = tuning.cell
    return LoopSpec(
        cell.finetuning_steps,
        min(cell.finetuning_batch_size, tuning.samples),
        cell.finetuning_learning_rate,
        weight_decay=0.0,
        warmup_steps=min(_WARMUP, cell.finetuning_steps),
        betas=_BETAS,
        seed=derive_seed(cell.seed, "fine-tuning", tuning.task),
    )


def _told(steps: int, *, stop: Callable[[], bool] = lambda: False) -> LoopOptions:
    return LoopOptions(log_every=steps, stop=stop)


@torch.no_grad()
def _features(encoder: nn.Module, numbers: Tensor) -> np.ndarray:
    return encoder(numbers).double().numpy()
