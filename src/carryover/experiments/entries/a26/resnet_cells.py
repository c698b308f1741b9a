"""One cell: a residual network is scaled, pretrained, rescaled, and fine-tuned on every task of its seed.

Everything is trained by the library's phases, by gradient descent with momentum and without weight decay, as
the theory's gradient flow has it.  All conditions of a cell share tasks, images, random heads and orders of
batches.
"""

import copy
import statistics
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from carryover._core.errors import NotComputedError
from carryover._core.seeding import derive_seed
from carryover.adaptation.network import AdaptedNetwork
from carryover.adaptation.outcome import Split, run_phases
from carryover.adaptation.phases import Budget, Examples, all_scores, mean_loss
from carryover.adaptation.plans import PLANS, Phase, Plan
from carryover.experiments.entries.a26.resnet_networks import new_network, settle_norms
from carryover.experiments.entries.a26.resnet_spec import (
    PRETRAINED,
    RANDOM,
    Condition,
    Descent,
    ScaledResNetCell,
    conditions,
)
from carryover.experiments.entries.a26.resnet_tasks import Drawn, draw_classes, read_images
from carryover.experiments.rows import Row
from carryover.models.initial_scales import (
    InitialScales,
    cancellation_warning,
    cancelled_scales,
    scale_weights,
)
from carryover.objectives.views import Views

_MOMENTUM, _WARMUP, _TRIED = 0.9, 0.1, 64
_MIRRORED = Views(least_area=1.0, flip=0.5, jitter=0.0, grey=0.0)
_STILL = Views(least_area=1.0, flip=0.0, jitter=0.0, grey=0.0)


def run_scaled(cell: ScaledResNetCell, _: Path | None = None) -> Row:
    """Accuracy on test images and loss on training images of every condition (``accuracy|...``,
    ``train_loss|...``, means over the pairs; None with ``reason|...`` where a descent diverged); accuracy on
    the source's classes, and of a ridge probe of all held-out classes before and after pretraining.

    ``cancelled_before`` and ``cancelled_after``: how many layers are scaled by a factor that a normalisation
    cancels, None where nothing is scaled; ``note`` says so in words.  NotComputedError where the pretraining
    diverges.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    data = _drawn(cell, device)
    source = data.pretraining()
    network = new_network(cell.network, n_outputs=len(data.classes.source), seed=cell.seed, device=device)
    before, notes = _scaled(network, _scales(cell), source.train)
    starts = {RANDOM: _encoder_state(network)}
    row: Row = {"cancelled_before": before, "probe_random": _random_probe(network, data, source.train, cell)}
    _descend(network, cell.pretraining, source, steps=cell.pretraining_steps, views=_MIRRORED, seed=cell.seed)
    starts[PRETRAINED] = _encoder_state(network)
    row |= {"source_accuracy": _accuracy(network, source.test)}
    row |= {"probe_trained": _probe_accuracy(starts[PRETRAINED], data, cell)}
    strongest = min(cell.rescalings)
    after, more = _scaled(network, InitialScales(all_weights=strongest), source.train)
    row |= {"cancelled_after": after, "note": " ".join(dict.fromkeys((*notes, *more))) or None}
    del source, network
    for condition, steps in conditions(cell):
        row |= _fine_tuned(cell, condition, data, state=starts[condition.start], steps=steps)
    return row


def _scales(cell: ScaledResNetCell) -> InitialScales:
    """Of the weights that pretraining begins with."""
    early = () if cell.relative == 1.0 else cell.network.early_parameters
    return InitialScales(cell.absolute, cell.relative, early_parameters=early)


def _drawn(cell: ScaledResNetCell, device: str) -> Drawn:
    train, test = (read_images(cell.data, split, cell.most) for split in ("train", "test"))
    classes = draw_classes(train.labels, n_pairs=cell.pairs, seed=cell.seed)
    return Drawn(train, test, classes, cell.reserved, cell.seed, device)


def _scaled(
    network: AdaptedNetwork, scales: InitialScales, data: Examples
) -> tuple[int | None, tuple[str, ...]]:
    """Multiply the weights in place; how many layers do not feel it, and a sentence that names them."""
    changed = scale_weights(network, network.encoder, scales)
    if not changed:
        return None, ()
    images = data.images[:_TRIED]
    found = cancelled_scales(network, network.encoder, images, features=network.features, changed=changed)
    sentence = cancellation_warning(found)
    return len(found), () if sentence is None else (sentence,)


def _fine_tuned(
    cell: ScaledResNetCell, condition: Condition, data: Drawn, *, state: Mapping[str, Tensor], steps: int
) -> Row:
    """The columns of a condition."""
    accuracies, losses = [], []
    for pair in range(cell.pairs):
        split = data.task(condition.kind, pair, condition.samples)
        head_seed = derive_seed(cell.seed, "head", condition.kind, pair)
        network = _from_state(cell, state, n_outputs=2, head_seed=head_seed, device=data.device)
        scales = InitialScales(all_weights=condition.rescaling, readout=condition.readout)
        scale_weights(network, network.encoder, scales)
        try:
            _descend(network, cell.finetuning, split, steps=steps, views=_STILL, seed=head_seed)
        except NotComputedError as error:
            return {f"accuracy|{condition.key}": None, f"reason|{condition.key}": str(error)}
        accuracies.append(_accuracy(network, split.test))
        losses.append(mean_loss(network, split.train))
    found = {"accuracy": accuracies, "train_loss": losses}
    return {f"{name}|{condition.key}": statistics.fmean(values) for name, values in found.items()}


def _descend(
    network: AdaptedNetwork, how: Descent, split: Split, *, steps: int, views: Views, seed: int
) -> None:
    """Train all weights in place, batch norms with the statistics of their batches."""
    phase = Phase(
        "descent",
        learning_rate=how.learning_rate,
        optimizer="sgd",
        momentum=_MOMENTUM,
        batch_norm="train",
    )
    budget = Budget(steps, how.batch_size, _WARMUP, how.clip_norm, views, seed)
    run_phases(network, Plan("descent", (phase,)), split, budget=budget)


def _random_probe(network: AdaptedNetwork, data: Drawn, images: Examples, cell: ScaledResNetCell) -> float:
    settled = copy.deepcopy(network)
    settle_norms(settled, images, batch_size=cell.pretraining.batch_size)
    return _probe_accuracy(_encoder_state(settled), data, cell)


def _probe_accuracy(state: Mapping[str, Tensor], data: Drawn, cell: ScaledResNetCell) -> float:
    """The library's exact ridge probe of all held-out classes at once, on all their images."""
    split = data.probe()
    n_outputs = len(split.train.targets.unique())
    network = _from_state(cell, state, n_outputs=n_outputs, head_seed=0, device=data.device)
    run_phases(network, PLANS["linear_probe"], split, budget=Budget())
    return _accuracy(network, split.test)


def _from_state(
    cell: ScaledResNetCell, state: Mapping[str, Tensor], *, n_outputs: int, head_seed: int, device: str
) -> AdaptedNetwork:
    network = new_network(cell.network, n_outputs=n_outputs, seed=0, head_seed=head_seed, device=device)
    network.encoder.load_state_dict(state)
    return network


def _encoder_state(network: AdaptedNetwork) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.encoder.state_dict().items()}


def _accuracy(network: AdaptedNetwork, data: Examples) -> float:
    return float((all_scores(network, data.images).argmax(dim=1) == data.targets).double().mean())
