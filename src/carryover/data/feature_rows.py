"""Feature matrices that need not fit in memory: the protocol, and arrays that do."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np

from carryover._core.errors import InputError

BLOCK_ROWS = 8192


@runtime_checkable
class FeatureRows(Protocol):
    """A matrix (n, d) of float32 or float64 that is read by blocks of rows.

    ``blocks(rows)`` yields (start, array) in order, each array (at most ``rows``, d) and the reader's to
    keep; ``take(indices)`` returns these rows in the order asked, repeats allowed; ``all()`` the whole
    matrix; ``content_hash`` names the values (:func:`rows_hash`), whatever file they came from.
    """

    @property
    def shape(self) -> tuple[int, int]: ...
    @property
    def content_hash(self) -> str: ...
    def __len__(self) -> int: ...
    def blocks(self, rows: int = BLOCK_ROWS) -> Iterator[tuple[int, np.ndarray]]: ...
    def take(self, indices: np.ndarray) -> np.ndarray: ...
    def all(self) -> np.ndarray: ...


class MemoryRows:
    """Feature rows in memory.  float16 becomes float32; the array is not copied otherwise.

    >>> MemoryRows(np.eye(3)).take([2, 0]).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """

    def __init__(self, array: np.ndarray) -> None:
        array = np.asarray(array)
        if array.ndim != 2 or 0 in array.shape:
            raise InputError(f"features must be a matrix (examples, features), got shape {array.shape}")
        self._array = as_float(array)
        self._hash: str | None = None

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def shape(self) -> tuple[int, int]:
        return self._array.shape

    @property
    def content_hash(self) -> str:
        if self._hash is None:
            self._hash = rows_hash(self.blocks(), self.shape)
        return self._hash

    def blocks(self, rows: int = BLOCK_ROWS) -> Iterator[tuple[int, np.ndarray]]:
        check_block_rows(rows)
        for start in range(0, len(self._array), rows):
            yield start, self._array[start : start + rows].copy()

    def take(self, indices: np.ndarray) -> np.ndarray:
        return self._array[check_indices(indices, len(self._array))]

    def all(self) -> np.ndarray:
        return self._array.copy()


def rows_hash(blocks: Iterable[tuple[int, np.ndarray]], shape: tuple[int, int]) -> str:
    """SHA-256 of the values as little-endian float32 or float64, row by row, then shape and dtype.

    Independent of the size of the blocks and of the file format.
    """
    digest, dtype = hashlib.sha256(), None
    for _, block in blocks:
        dtype = block.dtype.newbyteorder("<")
        digest.update(np.ascontiguousarray(block, dtype=dtype))
    digest.update(f"|{tuple(map(int, shape))}|{dtype.str if dtype else ''}".encode())
    return digest.hexdigest()


def as_float(array: np.ndarray, name: str = "features") -> np.ndarray:
    """float32 and float64 in native byte order as they are, float16 as float32; InputError for others."""
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        raise InputError(
            f"{name} must be float16, float32 or float64, got dtype {array.dtype}: convert with astype('float32')"
        )
    return array.astype(np.float64 if array.dtype.itemsize == 8 else np.float32, copy=False)


def check_block_rows(rows: int) -> int:
    """The number of rows in a block, at least 1."""
    if rows < 1:
        raise InputError(f"rows must be at least 1, got {rows}")
    return int(rows)


def check_indices(indices: Any, n: int) -> np.ndarray:
    """Row numbers as int64 in 0..n-1; a mask, floats and negative numbers are refused."""
    array = np.asarray(indices)
    if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
        raise InputError(f"indices must be a vector of whole row numbers, got {array.dtype} {array.shape}")
    array = array.astype(np.int64)
    if array.size and (array.min() < 0 or array.max() >= n):
        wrong = int(array.min() if array.min() < 0 else array.max())
        raise InputError(f"indices must lie in 0..{n - 1}, got {wrong}")
    return array
