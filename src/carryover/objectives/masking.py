"""Which parts of an image are hidden: scattered patches, or one block.

A mask is 1 where hidden.  Masks are functions of a :class:`~carryover.objectives.keyed.Key`: an example's mask depends
on its id, the step and the seed, not on its batch.
"""

from typing import Literal

import torch
from torch import Tensor

from carryover._core.errors import InputError
from carryover.objectives.keyed import Key

Strategy = Literal["patch", "block"]
STRATEGIES = ("patch", "block")


def n_visible(n_patches: int, ratio: float) -> int:
    """Patches left visible: the integer part of n (1 - ratio), as transformers' ViTMAE counts them.

    Raises InputError where that leaves nothing visible, or nothing to predict.

    >>> n_visible(64, 0.75)
    16
    """
    if not 0.0 < ratio < 1.0:
        raise InputError(f"mask ratio must lie in (0, 1), got {ratio:g}")
    kept = int(n_patches * (1 - ratio))
    if kept < 1:
        raise InputError(
            f"mask ratio {ratio:g} leaves nothing visible: of {n_patches} patches it hides all; take a smaller ratio"
        )
    if kept >= n_patches:
        raise InputError(
            f"mask ratio {ratio:g} leaves nothing to predict: of {n_patches} patches it hides none; take a larger ratio"
        )
    return kept


def patch_order(key: Key, grid: tuple[int, int], strategy: Strategy = "patch") -> Tensor:
    """Numbers (b, rows * columns) whose smallest entries are the patches that stay visible.

    "patch": uniform noise.  "block": the distance from a random centre (the larger of the row's and column's, ties in
    random order) with the sign turned, so that what is hidden is a square block, cut at the image's edge.
    Pass them as ``noise`` to transformers' ViTMAE.
    """
    if strategy not in STRATEGIES:
        raise InputError(f"mask strategy must be one of {STRATEGIES}, got {strategy!r}")
    rows, columns = grid
    noise = key.uniform("mask", rows * columns)
    if strategy == "patch":
        return noise
    centre_row = key.integers("mask row", 1, below=rows)
    centre_column = key.integers("mask column", 1, below=columns)
    row = torch.arange(rows, device=noise.device).repeat_interleave(columns)[None, :]
    column = torch.arange(columns, device=noise.device).repeat(rows)[None, :]
    distance = torch.maximum((row - centre_row).abs(), (column - centre_column).abs())
    return noise - distance.to(noise.dtype) - 1.0


def hidden_patches(order: Tensor, ratio: float) -> Tensor:
    """The mask (b, n) of an order (b, n): 1 where hidden; the same number hidden in every row.

    >>> hidden_patches(torch.tensor([[0.3, 0.1, 0.2, 0.4]]), 0.5)
    tensor([[1., 0., 0., 1.]])
    """
    kept = n_visible(order.shape[1], ratio)
    place = order.argsort(dim=1).argsort(dim=1)
    return (place >= kept).to(torch.float32)


def over_pixels(mask: Tensor, grid: tuple[int, int], patch: int) -> Tensor:
    """A mask of patches (b, rows * columns) as one of pixels (b, 1, rows * patch, columns * patch)."""
    rows, columns = grid
    return mask.reshape(-1, 1, rows, columns).repeat_interleave(patch, dim=2).repeat_interleave(patch, dim=3)


def patch_grid(height: int, width: int, patch: int) -> tuple[int, int]:
    """Rows and columns of patches; InputError where the image does not divide.

    >>> patch_grid(32, 32, 4)
    (8, 8)
    """
    if patch < 1 or height % patch or width % patch:
        raise InputError(
            f"an image of {height} x {width} pixels does not divide into patches of {patch} x {patch}: "
            "choose a patch size that divides both sides"
        )
    return height // patch, width // patch
