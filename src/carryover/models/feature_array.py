"""Features on disk in shards, read block by block so that they never need to fit in memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from carryover._core.errors import InputError


@dataclass(frozen=True)
class Shard:
    """Rows ``start`` to ``start + n_rows`` of an array, in one .npy file."""

    path: Path
    start: int
    n_rows: int


@dataclass(frozen=True)
class FeatureArray:
    """A float32 matrix (n, d) in consecutive shards; at most one shard and one block are in memory at a time.

    ``source_probabilities`` is such a matrix (n, k) where the network came with a classification head.
    """

    shards: tuple[Shard, ...]
    shape: tuple[int, int]
    source_probabilities: "FeatureArray | None" = None

    def __len__(self) -> int:
        return self.shape[0]

    def blocks(self, rows: int = 8192) -> Iterator[tuple[int, np.ndarray]]:
        """Pairs (start, float32 array of at most ``rows`` rows) that cover the matrix in order."""
        if rows < 1:
            raise InputError(f"rows must be at least 1, got {rows}")
        held: list[np.ndarray] = []
        start, n_held = 0, 0
        for shard in self.shards:
            rest = np.load(shard.path)
            while n_held + len(rest) >= rows:
                block = np.concatenate([*held, rest[: rows - n_held]])
                rest = rest[rows - n_held :]
                held, n_held = [], 0
                yield start, block
                start += rows
            if len(rest):
                held.append(rest)
                n_held += len(rest)
        if n_held:
            yield start, np.concatenate(held)

    def take(self, indices: np.ndarray) -> np.ndarray:
        """The rows at ``indices`` (any order, repeats allowed), float32 (len(indices), d)."""
        indices = np.asarray(indices)
        if indices.ndim != 1 or not np.issubdtype(indices.dtype, np.integer):
            raise InputError(
                f"indices must be a vector of integers, got dtype {indices.dtype}, shape {indices.shape}"
            )
        if len(indices) and (indices.min() < 0 or indices.max() >= len(self)):
            raise InputError(
                f"indices must lie in [0, {len(self) - 1}], got {int(indices.min())} to {int(indices.max())}"
            )
        rows = np.empty((len(indices), self.shape[1]), dtype=np.float32)
        for shard in self.shards:
            inside = np.flatnonzero((indices >= shard.start) & (indices < shard.start + shard.n_rows))
            if len(inside):
                rows[inside] = np.load(shard.path)[indices[inside] - shard.start]
        return rows

    def all(self) -> np.ndarray:
        """The whole matrix in memory, float32 (n, d)."""
        whole = np.empty(self.shape, dtype=np.float32)
        for shard in self.shards:
            whole[shard.start : shard.start + shard.n_rows] = np.load(shard.path)
        return whole
