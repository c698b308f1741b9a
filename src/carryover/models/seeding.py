"""Random initial weights as a function of a seed, with torch's global generator left as it was found."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded_torch(seed: int) -> Iterator[None]:
    """Inside, torch's CPU draws follow ``seed``; afterwards the global generator is in its former state.

    For constructors that draw initial weights without taking a generator (every ``nn.Linear``).

    >>> before = torch.get_rng_state()
    >>> with seeded_torch(3):
    ...     draw = torch.rand(())
    >>> torch.equal(before, torch.get_rng_state())
    True
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
