"""Feature rows read from files by plain seeks and reads, so that no page of the file counts as our memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from carryover._core.errors import InputError
from carryover.data.feature_rows import BLOCK_ROWS, check_block_rows, check_indices, rows_hash


@dataclass(frozen=True)
class RawMatrix:
    """Where a matrix lies in a file: uncompressed numbers at an offset, by rows or (Fortran) by columns."""

    path: Path
    offset: int
    shape: tuple[int, int]
    dtype: np.dtype
    fortran: bool = False
    bfloat16: bool = False

    @property
    def n_bytes(self) -> int:
        return self.shape[0] * self.shape[1] * self.dtype.itemsize

    def read(self, stream: IO[bytes], start: int, stop: int) -> np.ndarray:
        """Rows start..stop as float32 or float64; InputError where the file ends early."""
        n, d = self.shape
        if not self.fortran:
            stream.seek(self.offset + start * d * self.dtype.itemsize)
            return self._floats(self._read_values(stream, (stop - start) * d).reshape(-1, d))
        columns = np.empty((d, stop - start), dtype=self.dtype)
        for column in range(d):
            stream.seek(self.offset + (column * n + start) * self.dtype.itemsize)
            columns[column] = self._read_values(stream, stop - start)
        return self._floats(np.ascontiguousarray(columns.T))

    def _read_values(self, stream: IO[bytes], count: int) -> np.ndarray:
        values = np.empty(count, dtype=self.dtype)
        if stream.readinto(values.view(np.uint8)) != values.nbytes:
            raise InputError(f"{self.path} ends before its last row: the file is truncated, write it again")
        return values

    def _floats(self, values: np.ndarray) -> np.ndarray:
        if self.bfloat16:
            return (values.astype(np.uint32) << 16).view(np.float32)
        wanted = np.float64 if self.dtype.itemsize == 8 else np.float32
        return values.astype(wanted, copy=False)


class DiskRows:
    """Feature rows of a :class:`RawMatrix`: memory use is that of the block or the rows asked for."""

    def __init__(self, matrix: RawMatrix) -> None:
        self._matrix = matrix
        self._hash: str | None = None

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def shape(self) -> tuple[int, int]:
        return self._matrix.shape

    @property
    def content_hash(self) -> str:
        if self._hash is None:
            self._hash = rows_hash(self.blocks(), self.shape)
        return self._hash

    def blocks(self, rows: int = BLOCK_ROWS) -> Iterator[tuple[int, np.ndarray]]:
        rows, n = check_block_rows(rows), self.shape[0]
        with self._matrix.path.open("rb") as stream:
            for start in range(0, n, rows):
                yield start, self._matrix.read(stream, start, min(start + rows, n))

    def take(self, indices: np.ndarray) -> np.ndarray:
        wanted = check_indices(indices, self.shape[0])
        distinct, places = np.unique(wanted, return_inverse=True)
        runs = np.split(distinct, np.flatnonzero(np.diff(distinct) > 1) + 1) if len(distinct) else []
        with self._matrix.path.open("rb") as stream:
            parts = [self._matrix.read(stream, int(run[0]), int(run[-1]) + 1) for run in runs]
            parts = parts or [self._matrix.read(stream, 0, 0)]
        return np.concatenate(parts)[places]

    def all(self) -> np.ndarray:
        with self._matrix.path.open("rb") as stream:
            return self._matrix.read(stream, 0, self.shape[0])


class StreamedRows:
    """Feature rows that can only be read from the start: compressed archives, and Parquet.

    ``open_parts`` starts a pass and yields arrays of any number of rows; ``take`` costs a whole pass and
    keeps only the rows asked for.
    """

    def __init__(
        self, open_parts: Callable[[], Iterator[np.ndarray]], shape: tuple[int, int], *, path: Path
    ) -> None:
        self._open_parts = open_parts
        self._shape = shape
        self._path = path
        self._hash: str | None = None

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def shape(self) -> tuple[int, int]:
        return self._shape

    @property
    def content_hash(self) -> str:
        if self._hash is None:
            self._hash = rows_hash(self.blocks(), self.shape)
        return self._hash

    def blocks(self, rows: int = BLOCK_ROWS) -> Iterator[tuple[int, np.ndarray]]:
        check_block_rows(rows)
        start, held, n_held = 0, [], 0
        for part in self._open_parts():
            while n_held + len(part) >= rows:
                cut = rows - n_held
                yield start, np.concatenate([*held, part[:cut]])
                start, held, n_held, part = start + rows, [], 0, part[cut:]
            if len(part):
                held, n_held = [*held, part], n_held + len(part)
        if n_held:
            yield start, np.concatenate(held)
        if start + n_held != self._shape[0]:
            raise InputError(
                f"{self._path} ended after {start + n_held:,} of {self._shape[0]:,} rows: it is truncated, "
                "write it again"
            )

    def take(self, indices: np.ndarray) -> np.ndarray:
        wanted = check_indices(indices, self.shape[0])
        order = np.argsort(wanted, kind="stable")
        result = None
        for start, block in self.blocks():
            low, high = np.searchsorted(wanted[order], [start, start + len(block)])
            if result is None:
                result = np.empty((len(wanted), self.shape[1]), dtype=block.dtype)
            result[order[low:high]] = block[wanted[order[low:high]] - start]
        return result

    def all(self) -> np.ndarray:
        return self.take(np.arange(self.shape[0]))
