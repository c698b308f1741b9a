"""What a run of ``curl_pairs`` is, and what its results are called; loads no torch."""

from dataclasses import dataclass
from typing import Literal

from carryover._core.errors import InputError

SPEC_VERSION = 1
WHEN, CLASSIFIERS = ("before", "after"), ("mean", "trained")


@dataclass(frozen=True)
class PairsCell:
    """One pretraining run on ``tuples`` a step of ``negatives`` (k) and blocks of ``block`` images (b).

    ``head_share`` of the training images makes the classifiers; ``tasks``: (classes, tasks drawn) of each average.
    """

    data: str
    negatives: int = 1
    block: int = 1
    tuples: int = 64
    steps: int = 200
    learning_rate: float = 3e-3
    loss: Literal["hinge", "logistic"] = "logistic"
    encoder: str = "convolutional"
    side: int = 32
    width: int = 64
    head_share: float = 0.25
    tasks: tuple[tuple[int, int], ...] = ((2, 100), (10, 20), (100, 1))
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("negatives", "block", "tuples", "steps"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be >= 1, got {getattr(self, name)}")


def images_of_tuple(negatives: int, block: int) -> int:
    """An anchor, its block, and a block for each negative.

    >>> images_of_tuple(1, 1), images_of_tuple(4, 1), images_of_tuple(1, 10)
    (3, 6, 21)
    """
    return 1 + block * (1 + negatives)


def result_name(when: str, classifier: str, n_classes: int) -> str:
    """The column of a cell's row: ``when`` "before" or "after" pretraining, "mean" or "trained" classifier.

    >>> result_name("after", "mean", 2)
    'after.mean.2'
    """
    return f"{when}.{classifier}.{n_classes}"
