"""Two samples of features as shuffled independent units (rows, or whole groups), at most 5,000 rows of each."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from carryover._core.checks import check_features
from carryover._core.errors import InputError

LARGEST = 5000


@dataclass(frozen=True)
class Sample:
    """Rows in random order of their independent units; ``unit`` numbers the unit of each row, 0 first."""

    rows: np.ndarray
    unit: np.ndarray

    @property
    def n_units(self) -> int:
        return int(self.unit[-1]) + 1

    def between(self, first: int, last: int) -> Float[np.ndarray, "n d"]:
        """All rows of the units first..last-1."""
        start, stop = np.searchsorted(self.unit, [first, last])
        return self.rows[start:stop]

    def one_of_each(self, first: int, last: int) -> Float[np.ndarray, "n d"]:
        """One row of each of those units: the first, the order within a unit being random."""
        return self.rows[np.searchsorted(self.unit, np.arange(first, last))]


def draw_sample(
    features: np.ndarray, groups: np.ndarray | None, name: str, generator: np.random.Generator
) -> Sample:
    """At most 5,000 rows, units shuffled and rows shuffled within them."""
    array = np.asarray(features)
    if array.ndim != 2:
        raise InputError(f"{name} must be a matrix (examples, features), got shape {array.shape}")
    codes = np.arange(len(array)) if groups is None else np.unique(groups, return_inverse=True)[1]
    if len(codes) != len(array):
        raise InputError(
            f"groups of {name} must have one entry for each of its {len(array)} rows, got {len(codes)}"
        )
    shuffled = generator.permutation(codes.max(initial=-1) + 1)
    order = generator.permutation(len(array))
    order = order[np.argsort(shuffled[codes[order]], kind="stable")][:LARGEST]
    unit = np.unique(shuffled[codes[order]], return_inverse=True)[1]
    return Sample(check_features(array[order], name), unit)


def draw_both(
    source: np.ndarray,
    target: np.ndarray,
    *,
    groups: np.ndarray | None,
    source_groups: np.ndarray | None = None,
    generator: np.random.Generator,
) -> tuple[Sample, Sample]:
    """Both samples by :func:`draw_sample`; refuses samples of different width."""
    drawn = (
        draw_sample(source, source_groups, "source", generator),
        draw_sample(target, groups, "target", generator),
    )
    if drawn[0].rows.shape[1] != drawn[1].rows.shape[1]:
        raise InputError(
            "source and target must have the same features, got widths "
            f"{drawn[0].rows.shape[1]} and {drawn[1].rows.shape[1]}"
        )
    return drawn
