"""What a cell of the residual-network entry says: network, scales, training, and what it fine-tunes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from carryover._core.errors import InputError

Kind = Literal["subset", "new"]
SUBSET: Kind = "subset"
NEW: Kind = "new"
PRETRAINED, RANDOM = "pretrained", "random"


@dataclass(frozen=True)
class NetworkSpec:
    """A CIFAR residual network of 6 ``blocks_per_stage`` + 2 layers with ``width`` features.

    ``normalized``: with batch norms.  Its early part, a third of its blocks, is the first convolution and
    stage: the first three blocks where ``blocks_per_stage`` is 3.
    """

    blocks_per_stage: int = 1
    width: int = 32
    normalized: bool = True

    def __post_init__(self) -> None:
        if self.blocks_per_stage < 1:
            raise InputError(f"blocks_per_stage must be >= 1, got {self.blocks_per_stage}")

    @property
    def early_parameters(self) -> tuple[str, ...]:
        """Patterns of the names of the early part's parameters."""
        norm = ("encoder.network.bn1.*",) if self.normalized else ()
        return ("encoder.network.conv1.*", *norm, "encoder.network.layer1.*")


@dataclass(frozen=True)
class Descent:
    """Gradient descent: its peak rate, its batches, and the 2-norm that gradients are cut to (0: never)."""

    learning_rate: float
    batch_size: int
    clip_norm: float = 0.0


@dataclass(frozen=True)
class ScaledResNetCell:
    """One pretraining and all that is fine-tuned from it.

    - ``absolute`` (c) multiplies all encoder weights before pretraining, ``relative`` (kappa) the early ones
      besides
    - ``samples``: numbers of labelled images, each with its steps of fine-tuning
    - ``rescalings`` multiply all pretrained weights, ``readouts`` (gamma) the new head's random start; each
      of one with 1 of the other
    - ``from_scratch``: also fine-tune the random weights that pretraining began with
    - ``kinds`` of tasks, ``pairs`` of each; ``reserved`` training images of each class are for tasks alone
    - ``most``: of each class the first so many images only
    Raises InputError where 1 is not among the factors or nothing is fine-tuned.
    """

    data: str
    network: NetworkSpec
    pretraining: Descent
    pretraining_steps: int
    finetuning: Descent
    samples: tuple[tuple[int, int], ...]
    absolute: float = 1.0
    relative: float = 1.0
    rescalings: tuple[float, ...] = (1.0,)
    readouts: tuple[float, ...] = (1.0,)
    from_scratch: bool = False
    kinds: tuple[Kind, ...] = (SUBSET, NEW)
    pairs: int = 2
    reserved: int = 0
    most: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if 1.0 not in self.rescalings or 1.0 not in self.readouts:
            raise InputError(
                "rescalings and readouts must hold 1, what others are compared with, got "
                f"{self.rescalings} and {self.readouts}"
            )
        if not self.samples or not self.kinds:
            raise InputError("samples and kinds must not be empty: there would be nothing to fine-tune")


@dataclass(frozen=True)
class Condition:
    """What a fine-tuning starts from, and on how many images of which kind of task."""

    kind: Kind
    samples: int
    rescaling: float = 1.0
    readout: float = 1.0
    start: str = PRETRAINED

    @property
    def key(self) -> str:
        """As in the names of a row's columns.

        >>> Condition("new", 10, rescaling=0.25).key
        'new|10|0.25|1|pretrained'
        """
        return f"{self.kind}|{self.samples}|{self.rescaling:g}|{self.readout:g}|{self.start}"

    @classmethod
    def parse(cls, key: str) -> "Condition":
        """The condition of a key."""
        kind, samples, rescaling, readout, start = key.split("|")
        return cls(kind, int(samples), float(rescaling), float(readout), start)


def conditions(cell: ScaledResNetCell) -> Iterator[tuple[Condition, int]]:
    """Every condition of a cell, and its steps."""
    for kind in cell.kinds:
        for n, steps in cell.samples:
            for factor in cell.rescalings:
                yield Condition(kind, n, rescaling=factor), steps
            for readout in cell.readouts:
                if readout != 1.0:
                    yield Condition(kind, n, readout=readout), steps
            if cell.from_scratch:
                yield Condition(kind, n, start=RANDOM), steps
