"""Fixed sine and cosine embeddings of places on a grid (Vaswani et al. 2017, in two dimensions as in MAE)."""

import torch
from torch import Tensor

from carryover._core.errors import InputError


def grid_positions(grid: tuple[int, int], width: int) -> Tensor:
    """Embeddings (rows * columns, width), rows first: sin and cos of column / 10000^(4 k / width), then of the row.

    Raises InputError unless 4 divides ``width``.

    >>> grid_positions((1, 2), 4)[0]
    tensor([0., 1., 0., 1.])
    """
    if width < 4 or width % 4:
        raise InputError(f"a width with positions in two dimensions must be a multiple of 4, got {width}")
    rows, columns = grid
    rates = 10000.0 ** -(torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    row = torch.arange(rows, dtype=torch.float64).repeat_interleave(columns)[:, None] * rates
    column = torch.arange(columns, dtype=torch.float64).repeat(rows)[:, None] * rates
    return torch.cat([column.sin(), column.cos(), row.sin(), row.cos()], dim=1).to(torch.float32)
