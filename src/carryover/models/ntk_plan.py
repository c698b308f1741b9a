"""How a tangent kernel fits into a memory budget: which weights, how many outputs and examples at a time."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from carryover._core.errors import InputError

ROWS_AT_ONCE = 64
"""Gradients computed together: enough for a processor to be busy, few enough to stay near its cache."""

BACKWARD_SHARE = 1.0
"""Working memory of one backward pass, in units of what the forward pass of its example keeps (measured)."""

_MOST_WORKING = 0.25  # of the budget, for chunks of more than one example


@dataclass(frozen=True)
class KernelSize:
    """What is to be computed: ``weights`` maps names to numbers of entries, ``kept_bytes`` is what the forward pass of
    one example keeps for its backward pass, ``item_bytes`` the bytes of a weight's entry.
    """

    n_examples: int
    n_outputs: int
    weights: Mapping[str, int]
    kept_bytes: int
    item_bytes: int
    full: bool

    @property
    def kernel_bytes(self) -> int:
        """The kernel in float64, and once more while it is mirrored."""
        side = self.n_examples * (self.n_outputs if self.full else 1)
        return 16 * side**2

    def working_bytes(self, n_together: int) -> int:
        """Passes of one example through the network and back for ``n_together`` outputs."""
        return math.ceil(self.kept_bytes * (1.0 + BACKWARD_SHARE * n_together))


@dataclass(frozen=True)
class StreamPlan:
    """Slices of weights by name, outputs differentiated together, examples in a chunk."""

    slices: tuple[tuple[str, ...], ...]
    outputs_together: int
    chunk: int


def stream_plan(size: KernelSize, memory_budget: int) -> StreamPlan:
    """The plan with the fewest passes that stays within ``memory_budget`` bytes.

    The gradients of all n examples by one slice of the weights, for g outputs, are held as rows: n g s numbers, s the
    entries of the slice, beside the working memory of a chunk.  The trace form takes as many outputs at
    once as fit with all the weights in one slice, and where not even one fits, one output and several
    slices; the full form needs all outputs at once.  Raises InputError that says how many bytes are needed
    where the largest weight alone does not fit.
    """
    n_weights, spare = sum(size.weights.values()), memory_budget - size.kernel_bytes
    groups = [size.n_outputs] if size.full else _group_sizes(size.n_outputs)
    for together in groups:
        chunk = _chunk(size, together, spare)
        if _capacity(size, together, chunk, spare) >= n_weights:
            return StreamPlan((tuple(size.weights),), together, chunk)
    together, largest = groups[-1], max(size.weights.values())
    for chunk in (_chunk(size, together, spare), 1):
        capacity = _capacity(size, together, chunk, spare)
        if capacity >= largest:
            return StreamPlan(_slices(size.weights, capacity), together, chunk)
    raise InputError(_too_small(size, memory_budget, together, largest))


def _group_sizes(n_outputs: int) -> list[int]:
    """Sizes of even groups, from all outputs at once to one by one."""
    return sorted({math.ceil(n_outputs / parts) for parts in range(1, n_outputs + 1)}, reverse=True)


def _chunk(size: KernelSize, together: int, spare: int) -> int:
    affordable = int(_MOST_WORKING * max(spare, 0)) // max(1, size.working_bytes(together))
    return max(1, min(size.n_examples, ROWS_AT_ONCE // together, affordable))


def _capacity(size: KernelSize, together: int, chunk: int, spare: int) -> int:
    """Entries of a slice that fit: its rows, and a chunk's gradients twice while they are copied into the rows."""
    left = spare - chunk * size.working_bytes(together)
    return left // ((size.n_examples + 2 * chunk) * together * size.item_bytes)


def _slices(weights: Mapping[str, int], capacity: int) -> tuple[tuple[str, ...], ...]:
    """Neighbouring weights packed into slices of at most ``capacity`` entries."""
    slices: list[list[str]] = [[]]
    filled = 0
    for name, entries in weights.items():
        if slices[-1] and filled + entries > capacity:
            slices.append([])
            filled = 0
        slices[-1].append(name)
        filled += entries
    return tuple(map(tuple, slices))


def _too_small(size: KernelSize, memory_budget: int, together: int, largest: int) -> str:
    rows = (size.n_examples + 2) * together * largest * size.item_bytes
    needed = size.kernel_bytes + size.working_bytes(together) + rows
    name = next(name for name, entries in size.weights.items() if entries == largest)
    return (
        f"memory_budget must be at least {needed} bytes ({needed / 2**20:.1f} MiB) for {size.n_examples} examples and "
        f"{size.n_outputs} outputs, got {memory_budget}: {size.kernel_bytes} for the kernel, {rows} for the gradients "
        f"by the largest weight, {name}, and {needed - rows - size.kernel_bytes} for one example's passes. "
        "Give more memory or fewer examples"
    )
