"""What a cell of a26_modular is: pairs of numbers, operations modulo p, and the recipe of one pretraining.

Nothing here loads torch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from carryover._core.errors import InputError
from carryover._core.seeding import derive_generator

OPERATIONS: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "sum": lambda a, b: a + b,
    "difference": lambda a, b: a - b,
    "squares": lambda a, b: a * a + b * b,
}
PRETRAINED = ("sum", "difference")
"""Operations that are learned at once in pretraining, from one and the same features."""
REUSE, NEW = "reuse", "new"
TASKS: Mapping[str, str] = {REUSE: "sum", NEW: "squares"}
"""Fine-tuning tasks: a relabelled operation that pretraining had among others, and one that it had not."""
TRAINED, RANDOM = "pretrained", "random"
STARTS = (TRAINED, RANDOM)


@dataclass(frozen=True)
class ModularCell:
    """One pretraining and the fine-tunings from it; ``samples``, ``readouts`` and both tasks are crossed.

    ``scale`` (c) multiplies all initial weights, ``early_scale`` (kappa) those of the embeddings on top of it;
    scale 1 is ``start_scale`` times torch's usual weights.  ``readouts`` (gamma): standard deviations of the new
    readout's weights in units of 1 / sqrt(width).  Fine-tuning ends when the mean loss of its samples in nats is
    below ``until_loss``, at the latest after ``finetuning_steps``.
    """

    scale: float = 1.0
    early_scale: float = 1.0
    readouts: tuple[float, ...] = (0.2,)
    samples: tuple[int, ...] = (96, 192, 384)
    seed: int = 0
    modulus: int = 31
    width: int = 64
    heads: int = 4
    held_out_fraction: float = 0.2
    start_scale: float = 0.5
    steps: int = 2500
    batch_size: int = 256
    learning_rate: float = 4e-3
    weight_decay: float = 0.4
    finetuning_steps: int = 1500
    finetuning_batch_size: int = 96
    finetuning_learning_rate: float = 4e-3
    until_loss: float = 0.01

    def __post_init__(self) -> None:
        if self.modulus < 3:
            raise InputError(f"modulus must be >= 3, got {self.modulus}")
        if not 0.0 < self.held_out_fraction < 1.0:
            raise InputError(f"held_out_fraction must lie in (0, 1), got {self.held_out_fraction:g}")
        if self.width % self.heads:
            raise InputError(f"width must be a multiple of heads, {self.heads}, got {self.width}")
        if not self.samples or not 1 <= min(self.samples) <= max(self.samples) <= self.n_seen:
            raise InputError(
                f"samples must lie in [1, {self.n_seen}], the pairs of pretraining, got {self.samples}"
            )

    @property
    def n_seen(self) -> int:
        """Pairs that pretraining sees; fine-tuning draws its samples from them, and all others are the test."""
        return round(self.modulus**2 * (1.0 - self.held_out_fraction))


@dataclass(frozen=True)
class Pairs:
    """All pairs (a, b) as ``numbers`` (p * p, 2), and their positions, in a random order, by what they are for."""

    numbers: Int[np.ndarray, "n 2"]
    seen: Int[np.ndarray, " s"]
    held_out: Int[np.ndarray, " t"]


def all_pairs(cell: ModularCell) -> Pairs:
    """The same for all scales of a seed; ``seen[:n]`` are the n samples of fine-tuning, for both tasks."""
    p = cell.modulus
    numbers = np.stack(np.divmod(np.arange(p * p), p), axis=1)
    order = derive_generator(cell.seed, "pairs").permutation(p * p)
    return Pairs(numbers, order[: cell.n_seen], order[cell.n_seen :])


def results(operation: str, numbers: np.ndarray, modulus: int) -> Int[np.ndarray, " n"]:
    """a operation b mod p.

    >>> results("difference", np.array([[1, 3]]), 5).tolist(), results("squares", np.array([[3, 4]]), 7).tolist()
    ([3], [4])
    """
    return OPERATIONS[operation](numbers[:, 0], numbers[:, 1]) % modulus


def task_labels(cell: ModularCell, task: str, numbers: np.ndarray) -> Int[np.ndarray, " n"]:
    """The task's operation followed by a permutation of the p results, another for each task and seed."""
    names = derive_generator(cell.seed, "names", task).permutation(cell.modulus)
    return names[results(TASKS[task], numbers, cell.modulus)]
