"""What a cell of ``ranking_small_n`` is: a target, a hub of candidates, how many labels are drawn how often."""

from dataclasses import dataclass
from typing import Literal

from carryover._core.errors import InputError

SPEC_VERSION = 1
PATH_KEYS = ("data", "weights")
Recipe = Literal["SimCLR, CIFAR-10", "MAE, CIFAR-10", "SimCLR, MNIST", "denoising, MNIST"]
START = ", before training"
"""What the name of a pretrained encoder ends in where it is the network that its training began with."""


@dataclass(frozen=True)
class Target:
    """A labelled data set: rows of ``split`` whose ``column`` holds one of ``kept`` (all without a column).

    At most ``max_images`` images, stratified; truth is measured on ``test_share`` of them, the rest is the pool.
    """

    name: str
    data: str
    split: str = "train"
    label: str = "label"
    column: str = ""
    kept: tuple[int, ...] = ()
    max_images: int = 2400
    test_share: float = 0.55

    def __post_init__(self) -> None:
        if bool(self.column) != bool(self.kept):
            raise InputError(f"column and kept go together, got {self.column!r} and {self.kept}")


@dataclass(frozen=True)
class Checkpoint:
    """A residual network for 32 x 32 images, trained on CIFAR-10 with labels: its file."""

    architecture: Literal["resnet20", "resnet56"]
    weights: str


@dataclass(frozen=True)
class Pretrained:
    """An encoder that the library pretrains; each comes with the same network before training."""

    recipe: Recipe
    data: str
    steps: int
    max_images: int


@dataclass(frozen=True)
class Hub:
    """The candidates; ``seed`` draws random weights and pretraining.

    Pixels, PCA, random filters and a ResNet-20 with random weights are in every hub.
    """

    checkpoints: tuple[Checkpoint, ...]
    pretrained: tuple[Pretrained, ...]
    seed: int


@dataclass(frozen=True)
class Rival:
    """Another implementation, its release, and how many draws of each number of labels it is asked about."""

    name: str
    release: str
    draws: int


@dataclass(frozen=True)
class RankingCell:
    """All scores of all candidates on one target."""

    target: Target
    hub: Hub
    labels: tuple[int, ...]
    draws: int
    rivals: tuple[Rival, ...] = ()

    def __post_init__(self) -> None:
        if not self.labels or min(self.labels) < 2:
            raise InputError(f"labels must be numbers of at least 2, got {self.labels}")
        if self.draws < 2:
            raise InputError(f"draws must be >= 2, got {self.draws}")
        for rival in self.rivals:
            if not 1 <= rival.draws <= self.draws:
                raise InputError(f"draws of {rival.name} must lie in [1, {self.draws}], got {rival.draws}")


EVERY, WITH_SOURCE = "all", "source head"
"""Which candidates a score ranks: all, or those with a source head."""
WIDTH, CHANCE = "width", "chance"
"""Controls: the number of features as a score, and a constant, which picks at random."""
METRICS = ("tau", "regret", "top1")
AT_N = "_at_n"
"""Appended to a metric where truth is the accuracy of a probe fitted to the very labels that scores see."""
CANDIDATE, SCORE = "candidate", "score"


def candidate_key(name: str, what: str) -> str:
    """The column of a candidate."""
    return f"{CANDIDATE}/{name}/{what}"


def score_key(hub: str, score: str, labels: int, metric: str) -> str:
    """The column of a score among the candidates of ``hub``, with so many labels."""
    return f"{SCORE}/{hub}/{score}/{labels}/{metric}"


def release_key(rival: str) -> str:
    """The column that says which release of a rival answered."""
    return f"rival/{rival}"


def reason_key(rival: str) -> str:
    """The column that says why a rival did not answer; None where it did."""
    return f"{release_key(rival)}/reason"
