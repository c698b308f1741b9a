"""Contrastive pretraining on pairs of labelled classes, and average tasks with the mean and with a trained classifier.

Classes are the latent classes of Arora et al. (ICML 2019, arXiv 1902.09229): similar images are drawn from one of them.
"""

import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from carryover._core.errors import InputError
from carryover._core.seeding import derive_generator, derive_seed
from carryover.data.sources import open_dataset
from carryover.data.splits import make_split
from carryover.experiments.entries.curl.pairs_spec import PairsCell, images_of_tuple, result_name
from carryover.experiments.rows import Row
from carryover.measures.ridge import fit_ridge_path
from carryover.models.encoders import ImageSize, build_encoder
from carryover.objectives.curl import curl_loss
from carryover.objectives.curl_pairs import ClassTuples
from carryover.objectives.keyed import Key
from carryover.objectives.normalize import Normalize
from carryover.training.loop import LoopOptions, LoopSpec, train

MEAN, STD = (0.507, 0.487, 0.441), (0.267, 0.256, 0.276)  # of CIFAR-100's training pixels
_READ = 500


@dataclass(frozen=True)
class Images:
    """uint8 images (n, c, h, w) and their classes 0, 1, ... (n,)."""

    pixels: Tensor
    labels: np.ndarray

    def take(self, rows: np.ndarray) -> "Images":
        return Images(self.pixels[torch.from_numpy(rows)], self.labels[rows])


def run_pairs(cell: PairsCell, folder: Path) -> Row:
    """Accuracies of the encoder before and after pretraining, see :func:`average_accuracies`.

    ``cell.head_share`` of the training images is kept from pretraining: classifiers are made from these.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    whole, test = _images(cell.data, "train", cell.side), _images(cell.data, "test", cell.side)
    generator = derive_generator(cell.seed, "head images")
    split = make_split(whole.labels, generator=generator, test_fraction=cell.head_share)
    heads, pretraining = whole.take(split.test), whole.take(split.train)
    tasks = draw_tasks(cell, n_classes=int(whole.labels.max()) + 1)
    size = ImageSize(*whole.pixels.shape[2:], whole.pixels.shape[1])
    seed = derive_seed(cell.seed, "weights") % 2**63
    network = nn.Sequential(
        Normalize(MEAN, STD), build_encoder(cell.encoder, size, width=cell.width, seed=seed)
    ).to(device)
    row = _measured("before", network, heads, test, tasks)
    row |= _pretrained(network, pretraining, cell, folder=folder / "checkpoints")
    return row | _measured("after", network, heads, test, tasks)


def _pretrained(network: nn.Module, images: Images, cell: PairsCell, *, folder: Path) -> Row:
    """Train ``network`` in place; its checkpoints are gone once it is done."""
    device = next(network.parameters()).device
    pixels = images.pixels.to(device)
    tuples = ClassTuples(torch.from_numpy(images.labels).to(device), block=cell.block)
    key_seed = derive_seed(cell.seed, "tuples") % 2**63
    parts = [1, cell.block, cell.negatives * cell.block]

    def loss(positions: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        drawn = tuples.draw(Key(key_seed, step, positions), negatives=cell.negatives)
        rows = (drawn.anchor, drawn.positives.flatten(), drawn.negatives.flatten())
        features = network(pixels[torch.cat(rows)].to(torch.float32) / 255.0)
        anchor, positive, negative = features.split([len(positions) * part for part in parts])
        blocks = (len(positions), -1, cell.block, features.shape[1])
        value = curl_loss(anchor, positive.reshape(blocks)[:, 0], negative.reshape(blocks), loss=cell.loss)
        return value, {"pretraining_loss": value}

    spec = LoopSpec(
        steps=cell.steps,
        batch_size=cell.tuples,
        learning_rate=cell.learning_rate,
        warmup_steps=cell.steps // 10,
        seed=derive_seed(cell.seed, "order") % 2**32,
    )
    found = train(network, loss, n_examples=len(pixels), spec=spec, options=LoopOptions(folder))
    network.load_state_dict(found.weights)
    shutil.rmtree(folder)
    images_seen = cell.steps * cell.tuples * images_of_tuple(cell.negatives, cell.block)
    return {
        "tuples": cell.tuples,
        "images_seen": images_seen,
        "last_loss": float(found.last["pretraining_loss"]),
    }


def _measured(
    when: str, network: nn.Module, heads: Images, test: Images, tasks: dict[int, np.ndarray]
) -> Row:
    features = [encoded(network, one.pixels) for one in (heads, test)]
    return {
        result_name(when, classifier, n_classes): value
        for (classifier, n_classes), value in average_accuracies(
            (features[0], heads.labels), (features[1], test.labels), tasks
        ).items()
    }


@torch.no_grad()
def encoded(network: nn.Module, pixels: Tensor) -> Float[np.ndarray, "n d"]:
    """Features of uint8 images in evaluation mode, float64."""
    device = next(network.parameters()).device
    network.eval()
    parts = [network(part.to(device).to(torch.float32) / 255.0) for part in pixels.split(_READ)]
    return torch.cat(parts).cpu().numpy().astype(np.float64)


def draw_tasks(cell: PairsCell, *, n_classes: int) -> dict[int, Int[np.ndarray, "tasks k"]]:
    """By their number of classes k: the classes of each task; a task of all classes is one."""
    found = {}
    for k, count in cell.tasks:
        if k > n_classes:
            raise InputError(f"a task of {k} classes cannot be drawn from {n_classes}")
        generator = derive_generator(cell.seed, "tasks", k)
        found[k] = np.array([generator.choice(n_classes, k, replace=False) for _ in range(count)])
    return found


def average_accuracies(
    heads: tuple[Float[np.ndarray, "n d"], Int[np.ndarray, " n"]],
    test: tuple[Float[np.ndarray, "t d"], Int[np.ndarray, " t"]],
    tasks: dict[int, Int[np.ndarray, "tasks k"]],
) -> dict[tuple[str, int], float]:
    """AVG-k: the mean over tasks of k classes of the accuracy on their test rows, by classifier and k.

    ``heads`` and ``test``: features and classes.  "mean": the class c with the highest f(x)^T mu_c, mu_c the mean of
    its head rows.  "trained": ridge on the task's head rows, its penalty by leave-one-out.
    """
    features, labels = heads
    means = np.array([features[labels == one].mean(axis=0) for one in range(int(labels.max()) + 1)])
    scores, found = test[0] @ means.T, {}
    for k, drawn in tasks.items():
        right = {"mean": [], "trained": []}
        for task in drawn:
            order = np.sort(task)
            own, judged = (np.flatnonzero(np.isin(one, order)) for one in (labels, test[1]))
            codes, truth = (np.searchsorted(order, one) for one in (labels[own], test[1][judged]))
            trained = fit_ridge_path(features[own], codes, n_classes=k).predict_scores(test[0][judged])
            for name, given in (("mean", scores[judged][:, order]), ("trained", trained)):
                right[name].append(float((given.argmax(axis=1) == truth).mean()))
        found |= {(name, k): float(np.mean(values)) for name, values in right.items()}
    return found


@lru_cache(maxsize=2)
def _images(data: str, split: str, side: int) -> Images:
    """All images of a split; kept for the next cell of the process."""
    source = open_dataset(data, split=split)
    column = source.images(None, size=side, channels=3)
    pixels = torch.from_numpy(column.read(0, len(column))).permute(0, 3, 1, 2).contiguous()
    return Images(pixels, np.asarray(source.values("fine_label"), dtype=np.int64))
