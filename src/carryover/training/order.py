"""Which examples make up which batch: a pure function of the seed, the epoch and the step."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from carryover._core.errors import InputError
from carryover._core.seeding import derive_generator

_EPOCHS_KEPT = 4


@dataclass(frozen=True)
class BatchOrder:
    """Batches of ``batch_size`` of ``n_examples`` examples; each epoch a new permutation, its rest left out.

    The permutations of the last few epochs asked for are kept, so that a step costs no more than its batch.

    >>> order = BatchOrder(n_examples=5, batch_size=2, seed=0)
    >>> order.steps_per_epoch, len(set(order.batch(0)) | set(order.batch(1)))
    (2, 4)
    """

    n_examples: int
    batch_size: int
    seed: int
    name: str = "order"

    def __post_init__(self) -> None:
        if not 1 <= self.batch_size <= self.n_examples:
            raise InputError(
                f"batch_size must lie in [1, {self.n_examples}], the number of examples, got {self.batch_size}"
            )

    @property
    def steps_per_epoch(self) -> int:
        return self.n_examples // self.batch_size

    def batch(self, step: int) -> np.ndarray:
        """Positions (batch_size,) int64 of the examples of step 0, 1, ...; the caller's own copy."""
        epoch, place = divmod(int(step), self.steps_per_epoch)
        order = _permutation(self.n_examples, self.seed, self.name, epoch)
        return order[place * self.batch_size : (place + 1) * self.batch_size].copy()


@lru_cache(maxsize=_EPOCHS_KEPT)
def _permutation(n_examples: int, seed: int, name: str, epoch: int) -> np.ndarray:
    return derive_generator(seed, name, epoch).permutation(n_examples)
