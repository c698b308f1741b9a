"""What can be asked of one image of a digit at once: the digit, its parity, how thick its stroke is, how it leans."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int, UInt8

from carryover._core.errors import InputError

CLASSES: Mapping[str, int] = {"digit": 10, "parity": 2, "thickness": 3, "slant": 3}
"""The tasks, and how many classes each has; thickness and slant are cut at their tertiles."""
_INK = 128  # of 255


def thickness(images: UInt8[np.ndarray, "n h w"]) -> Float[np.ndarray, " n"]:
    """The mean width of the stroke in pixels: twice the inked area over its boundary's length.

    A long bar of width w has 2 w L / (2 L + 2 w), near w.  Ink is what is at least half white; 0 without any.
    """
    ink = np.pad(images >= _INK, ((0, 0), (1, 1), (1, 1)))
    edges = sum(np.diff(ink, axis=axis).sum(axis=(1, 2)) for axis in (1, 2))
    area = ink.sum(axis=(1, 2))
    return 2.0 * area / np.maximum(edges, 1)


def slant(images: UInt8[np.ndarray, "n h w"]) -> Float[np.ndarray, " n"]:
    """How many columns the ink moves to the right for each row upwards: the regression of column on row.

    0 where the ink has no height.
    """
    ink = images.astype(np.float64)
    rows, columns = np.arange(images.shape[1])[:, None], np.arange(images.shape[2])[None, :]
    mass = np.maximum(ink.sum(axis=(1, 2)), 1e-12)
    row, column = (np.einsum("nhw,hw->n", ink, grid + 0.0 * ink[0]) / mass for grid in (rows, columns))
    from_row = rows[None] - row[:, None, None]
    from_column = columns[None] - column[:, None, None]
    height = (ink * from_row**2).sum(axis=(1, 2))
    together = (ink * from_row * from_column).sum(axis=(1, 2))
    return np.where(height > 0.0, -together / np.where(height > 0.0, height, 1.0), 0.0)


_MEASURED = {"thickness": thickness, "slant": slant}


def tertiles(images: UInt8[np.ndarray, "n h w"]) -> dict[str, Float[np.ndarray, " 2"]]:
    """Where thickness and slant are cut, so that a third of these images is in each class."""
    if not len(images):
        raise InputError("tertiles need at least one image, got none")
    return {name: np.quantile(measure(images), (1 / 3, 2 / 3)) for name, measure in _MEASURED.items()}


def attribute_classes(
    images: UInt8[np.ndarray, "n h w"], digits: Int[np.ndarray, " n"], cuts: Mapping[str, np.ndarray]
) -> dict[str, Int[np.ndarray, " n"]]:
    """Class codes of every task in ``CLASSES``, cut at ``cuts`` (:func:`tertiles` of other images)."""
    found = {"digit": digits.astype(np.int64), "parity": digits.astype(np.int64) % 2}
    for name, measure in _MEASURED.items():
        found[name] = np.searchsorted(cuts[name], measure(images), side="right").astype(np.int64)
    return found
