"""What is measured of one run of the family: pretraining loss, downstream probe, terms of the bound, plain scores.

Images never labelled to a run: 5,000 of CIFAR-10's test split (pretraining loss, scale of the features, total
variation).  Target: the 20 coarse classes of CIFAR-100.  Every run sees the same images, views and masks, so that
differences between runs are paired.
"""

from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bounds_family import LABELLED_ROWS, members
from cells import Cells
from torch import Tensor
from validate_pretraining import labelled

from carryover._core.seeding import derive_generator
from carryover.measures.catalogue import CATALOGUE
from carryover.measures.evaluation import Sample, Setting, evaluate
from carryover.measures.heterogeneity import total_variation_lower_bound
from carryover.measures.nleep import default_components
from carryover.measures.rademacher import rademacher_complexity
from carryover.measures.ridge import RidgePath, fit_ridge_path
from carryover.objectives.saved import encode_in_batches, load_encoder
from carryover.pretraining.data import ImageSet
from carryover.pretraining.phase import measured_losses

N_LABELS, N_TEST, N_CLASSES, BATCH, AT_ONCE = 1_000, 5_000, 20, 128, 64
SCORES = tuple(name for name, score in CATALOGUE.items() if score.needs == "features")
LIPSCHITZ = float(np.sqrt(2)) / 4
"""Of the soft error 1 - softmax(s)_y in the 2-norm of the scores: the gradient p_y (e_y - p) has at most the
length sqrt 2 p_y (1 - p_y)."""


@dataclass(frozen=True)
class Images:
    """uint8 images: ``held_out`` of CIFAR-10; of CIFAR-100 ``few`` (labels), ``many`` other labels, ``test``."""

    held_out: Tensor
    few: tuple[Tensor, np.ndarray]
    many: tuple[Tensor, np.ndarray]
    test: tuple[Tensor, np.ndarray]


@cache
def images() -> Images:
    """The images that all runs are measured on."""
    held_out, _ = labelled("cifar10", "test", image="img", label="label")
    train, codes = labelled("cifar100", "train", image="img", label="coarse_label")
    test, test_codes = labelled("cifar100", "test", image="img", label="coarse_label")
    order = derive_generator(0, "labelled rows").permutation(LABELLED_ROWS)
    few, many = (torch.from_numpy(part) for part in np.split(order, [N_LABELS]))
    return Images(
        held_out[:N_TEST],
        (train[few], codes[few].numpy()),
        (train[many], codes[many].numpy()),
        (test[:N_TEST], test_codes[:N_TEST].numpy()),
    )


def _test_losses(path: RidgePath, features: np.ndarray, labels: np.ndarray) -> dict[str, list[float]]:
    """By name, the loss of each example: 0-1, soft error 1 - p_y (in [0, 1]), -log p_y."""
    probabilities = path.predict_probabilities(features)
    of_label = probabilities[np.arange(len(labels)), labels]
    return {
        "error": (probabilities.argmax(axis=1) != labels).astype(float).tolist(),
        "soft": (1 - of_label).round(6).tolist(),
        "log": (-np.log(np.maximum(of_label, 1e-12))).round(6).tolist(),
    }


def _with_constant(features: np.ndarray) -> np.ndarray:
    return np.concatenate([features, np.ones((len(features), 1))], axis=1)


def _plain_scores(features: np.ndarray, labels: np.ndarray) -> dict[str, float | None]:
    setting = Setting("classification", N_CLASSES, N_LABELS, default_components(N_LABELS, N_CLASSES))
    found = evaluate(Sample(features, labels), SCORES, setting, generator=derive_generator(0, "plain scores"))
    return {name: float(one.value) if one.ok else None for name, one in found.items()}


def measure(run: Path) -> dict[str, Any]:
    """One run's numbers.

    Features are centred by the mean of the held-out images and divided by the root mean square of what is left,
    and a constant 1 is appended, so that the probe's intercept counts towards its norm and no scale of an encoder
    towards anything.  The head's scores are divided by the probe's temperature: its norm is that of (W, b) over it.
    """
    data, encoder = images(), load_encoder(run)
    losses = measured_losses(
        encoder.objective, ImageSet("held out", data.held_out, ()), seed=0, batch_size=BATCH
    )
    source = encode_in_batches(encoder, data.held_out, batch_size=AT_ONCE).numpy().astype(np.float64)
    mean = source.mean(axis=0)
    scale = float(np.sqrt(np.mean((source - mean) ** 2)))
    few, many, test = (
        (encode_in_batches(encoder, part[0], batch_size=AT_ONCE).numpy() - mean) / scale
        for part in (data.few, data.many, data.test)
    )
    probe = fit_ridge_path(few, data.few[1], n_classes=N_CLASSES)
    best = fit_ridge_path(many, data.many[1], n_classes=N_CLASSES)
    offsets = probe.intercept - probe.intercept.mean()  # the softmax does not see what all classes share
    norm = float(np.sqrt(np.sum(probe.coefficients**2) + np.sum(offsets**2)) / probe.temperature)
    complexity = rademacher_complexity(
        _with_constant(few), n_outputs=N_CLASSES, radius=norm, generator=derive_generator(0, "signs")
    )
    variation = total_variation_lower_bound(
        (source - mean) / scale, test, generator=derive_generator(0, "two-sample test")
    )
    return {
        "pretraining_losses": losses.tolist(),
        "few": _test_losses(probe, test, data.test[1]),
        "many": _test_losses(best, test, data.test[1]),
        "train_soft": float(np.mean(_test_losses(probe, few, data.few[1])["soft"])),
        "head_norm": norm,
        "complexity": asdict(complexity),
        "variation": asdict(variation),
        "scores": _plain_scores(few, data.few[1]),
    }


def measured(folder: Path, *, share: int = 0, shares: int = 1) -> dict[str, dict[str, Any]]:
    """By name, the numbers of every finished run in ``folder``; what is new is measured and kept there."""
    names = [one.name for one in members() if (folder / one.name / "result.json").exists()]
    cells = Cells(folder / "measured", share, shares)
    return cells.run(names, lambda name: measure(folder / name))
