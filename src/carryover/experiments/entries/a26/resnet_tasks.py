"""The images of a seed: classes to pretrain on, and two-class tasks of some of these or of held-out ones.

Which classes are held out, which pairs are tasks and which images are whose are drawn from the seed.  A
task's images were in no pretraining: of every class of the source some training images are reserved for
tasks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from carryover._core.errors import InputError
from carryover._core.seeding import derive_generator
from carryover.adaptation.outcome import Split
from carryover.adaptation.phases import Examples
from carryover.data.sources import open_dataset
from carryover.data.splits import stratified_subset
from carryover.experiments.entries.a26.resnet_spec import NEW, SUBSET, Kind
from carryover.models.preprocessing import Preprocessing

LABELS = "fine_label"
# Channel means and deviations of CIFAR-100's training images.
NORMALISE = Preprocessing(mean=(0.507, 0.487, 0.441), std=(0.267, 0.256, 0.276))


@dataclass(frozen=True)
class Labelled:
    """uint8 images (n, h, w, c) and class codes (n,)."""

    images: np.ndarray
    labels: np.ndarray

    def examples(self, classes: Sequence[int], rows: np.ndarray, *, device: str) -> Examples:
        """The images at ``rows``, coded by their class's place in ``classes``."""
        codes = np.full(int(self.labels.max()) + 1, -1)
        codes[list(classes)] = np.arange(len(classes))
        targets = torch.from_numpy(codes[self.labels[rows]])
        return Examples(NORMALISE.apply(self.images[rows], device), targets.to(device))

    def of(self, classes: Sequence[int]) -> np.ndarray:
        """Rows of these classes, in order."""
        return np.flatnonzero(np.isin(self.labels, list(classes)))


@lru_cache(maxsize=2)
def read_images(path: str, split: str, most: int | None) -> Labelled:
    """A split, or the first ``most`` images of each class of it; decoded once in a process."""
    source = open_dataset(path, split=split)
    labels = np.asarray(source.values(LABELS))
    rows = np.flatnonzero(rank_in_class(labels) < (len(labels) if most is None else most))
    column = source.images().take(rows)
    return Labelled(column.read(0, len(column)), labels[rows])


def rank_in_class(labels: np.ndarray) -> np.ndarray:
    """How many of the same class come before each.

    >>> rank_in_class(np.array([5, 3, 5, 5, 3])).tolist()
    [0, 0, 1, 2, 1]
    """
    ranks = np.empty(len(labels), dtype=np.int64)
    for code in np.unique(labels):
        own = np.flatnonzero(labels == code)
        ranks[own] = np.arange(len(own))
    return ranks


@dataclass(frozen=True)
class Classes:
    """``source``: classes that are pretrained on; ``pairs``: by kind the classes of each task, none twice.

    "subset" pairs lie inside the source, "new" ones outside.
    """

    source: tuple[int, ...]
    pairs: Mapping[Kind, tuple[tuple[int, int], ...]]


def draw_classes(labels: np.ndarray, *, n_pairs: int, seed: int) -> Classes:
    """Pairs of both kinds at random; InputError where fewer than two classes would be left beside them."""
    known = np.unique(labels)
    if n_pairs < 1 or len(known) < 4 * n_pairs + 2:
        raise InputError(
            f"pairs must be >= 1, and {len(known)} classes must be more than 4 pairs + 1, got {n_pairs}"
        )
    order = derive_generator(seed, "classes").permutation(known).tolist()
    drawn = [(order[2 * at], order[2 * at + 1]) for at in range(2 * n_pairs)]
    held_out = {code for pair in drawn[:n_pairs] for code in pair}
    source = tuple(code for code in known.tolist() if code not in held_out)
    return Classes(source, {NEW: tuple(drawn[:n_pairs]), SUBSET: tuple(drawn[n_pairs:])})


@dataclass(frozen=True)
class Drawn:
    """What a seed draws from both splits; ``reserved`` training images of each class are for tasks alone."""

    train: Labelled
    test: Labelled
    classes: Classes
    reserved: int
    seed: int
    device: str = "cpu"

    def pretraining(self) -> Split:
        """The source's classes: training images that are not reserved, and all test images."""
        source = self.classes.source
        kept = self._is_reserved() < 1
        rows = self.train.of(source)
        return Split(
            self.train.examples(source, rows[kept[rows]], device=self.device),
            self.test.examples(source, self.test.of(source), device=self.device),
        )

    def probe(self) -> Split:
        """All held-out classes at once, with every image."""
        classes = [code for pair in self.classes.pairs[NEW] for code in pair]
        parts = (self.train, self.test)
        return Split(*(one.examples(classes, one.of(classes), device=self.device) for one in parts))

    def task(self, kind: Kind, pair: int, n: int) -> Split:
        """``n`` training images of a pair, half of each class, nested in n; and the pair's test images.

        InputError where there are fewer.
        """
        classes = self.classes.pairs[kind][pair]
        rows = self.train.of(classes)
        if kind == SUBSET:
            rows = rows[self._is_reserved()[rows] > 0]
        if not 2 <= n <= len(rows):
            raise InputError(f"samples must lie in [2, {len(rows)}] for a {kind} task, got {n}")
        generator = derive_generator(self.seed, "samples", kind, pair)
        drawn = stratified_subset(self.train.labels[rows], n, generator=generator)
        return Split(
            self.train.examples(classes, rows[drawn], device=self.device),
            self.test.examples(classes, self.test.of(classes), device=self.device),
        )

    def _is_reserved(self) -> np.ndarray:
        """1 for the training images that are reserved for tasks, 0 for the others."""
        order = derive_generator(self.seed, "reserved").permutation(len(self.train.labels))
        ranks = np.empty(len(order), dtype=np.int64)
        ranks[order] = rank_in_class(self.train.labels[order])
        return (ranks < self.reserved).astype(np.int64)
