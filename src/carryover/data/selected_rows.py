"""Some rows of a feature matrix, as a feature matrix: nothing is read before it is asked for."""

from collections.abc import Iterator

import numpy as np

from carryover.data.feature_rows import BLOCK_ROWS, FeatureRows, check_indices, rows_hash


class SelectedRows:
    """The rows ``positions`` (m,) of ``rows``, in ascending order of position; satisfies ``FeatureRows``.

    Blocks are cut from one pass over ``rows``, so that memory stays at one block.
    """

    def __init__(self, rows: FeatureRows, positions: np.ndarray) -> None:
        self._rows = rows
        self._positions = np.sort(check_indices(positions, len(rows)))

    def __len__(self) -> int:
        return len(self._positions)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self._positions), self._rows.shape[1]

    @property
    def content_hash(self) -> str:
        return rows_hash(self.blocks(), self.shape)

    def blocks(self, rows: int = BLOCK_ROWS) -> Iterator[tuple[int, np.ndarray]]:
        """(position among the selected, block) pairs; a block has at most ``rows`` rows."""
        done = 0
        for start, block in self._rows.blocks(rows):
            last = int(np.searchsorted(self._positions, start + len(block)))
            if last > done:
                yield done, block[self._positions[done:last] - start]
                done = last

    def take(self, indices: np.ndarray) -> np.ndarray:
        return self._rows.take(self._positions[check_indices(indices, len(self))])

    def all(self) -> np.ndarray:
        if len(self._positions) == len(self._rows):
            return self._rows.all()
        return self._rows.take(self._positions)
