"""Sums over the rows of a shard, by the names of classes, so that shards which lack some of them add up."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Protocol
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float

from carryover._core.errors import InputError
from carryover.data.atomic import written_whole
from carryover.measures.leep import LeepTable
from carryover.measures.moments import FeatureMoments

_MOMENTS = tuple(field.name for field in fields(FeatureMoments))


class Blocks(Protocol):
    """A matrix that is read by (first row, block) pairs."""

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]: ...


@dataclass(frozen=True)
class SourceSums:
    """Of a source head with z classes: sums of its probabilities by class, and how often it says which, (k, z)."""

    probabilities: LeepTable
    predicted: Float[np.ndarray, "k z"]

    def merge(self, other: "SourceSums") -> "SourceSums":
        """The sums of both sets of rows; their classes must be the same."""
        return SourceSums(self.probabilities.merge(other.probabilities), self.predicted + other.predicted)


@dataclass(frozen=True)
class ShardSums:
    """All that is summed over rows: moments, and the source head's tables where there is a head.

    ``class_names`` (k,) are those of the moments' classes, in order; None for regression.
    """

    moments: FeatureMoments
    class_names: tuple[str, ...] | None
    source: SourceSums | None = None

    def merge(self, other: "ShardSums") -> "ShardSums":
        """The sums of both shards' rows.

        Raises InputError where they have another task, other widths, or a source head on one side only.
        """
        if (self.class_names is None) != (other.class_names is None):
            raise InputError("one shard has class labels and one numbers: say data.task")
        if (self.source is None) != (other.source is None):
            raise InputError("one shard has the outputs of a source head and one has none")
        names = self.class_names
        if names is not None:
            names = tuple(sorted({*names, *other.class_names}))
        left, right = self._with_classes(names), other._with_classes(names)
        source = None if left.source is None else left.source.merge(right.source)
        return ShardSums(left.moments.merge(right.moments), names, source)

    def save(self, path: Path) -> None:
        """Write the sums, whole or not at all; the same sums are the same bytes."""
        arrays = {name: getattr(self.moments, name) for name in _MOMENTS}
        arrays = {name: np.asarray(value) for name, value in arrays.items() if value is not None}
        if self.class_names is not None:
            arrays["class_names"] = np.array(self.class_names)
        if self.source is not None:
            arrays |= {
                "source_sums": self.source.probabilities.sums,
                "source_predicted": self.source.predicted,
            }
        with written_whole(path, overwrite=True) as partial:
            np.savez(partial, **arrays)

    @classmethod
    def load(cls, path: Path) -> "ShardSums":
        """What :meth:`save` wrote; InputError where the file is missing or damaged."""
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                arrays = dict(file)
            moments = {name: arrays.get(name) for name in _MOMENTS}
            moments |= {"n_rows": int(arrays["n_rows"]), "fourth_moment": float(arrays["fourth_moment"])}
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise InputError(
                f"the sums in {path} cannot be read ({error}): remove the folder and sweep again"
            ) from error
        names, source = None, None
        if "class_names" in arrays:
            names = tuple(arrays["class_names"].tolist())
        if "source_sums" in arrays:
            table = LeepTable(arrays["source_sums"], moments["n_rows"])
            source = SourceSums(table, arrays["source_predicted"])
        return cls(FeatureMoments(**moments), names, source)

    def _with_classes(self, names: tuple[str, ...] | None) -> "ShardSums":
        """The same sums with a place for each of ``names``; a class without a row has sums of 0."""
        if names == self.class_names:
            return self
        places = [names.index(name) for name in self.class_names]

        def spread(array: np.ndarray, axis: int) -> np.ndarray:
            shape = list(array.shape)
            shape[axis] = len(names)
            wide = np.zeros(shape, dtype=array.dtype)
            np.moveaxis(wide, axis, 0)[places] = np.moveaxis(array, axis, 0)
            return wide

        moments = replace(
            self.moments,
            cross=spread(self.moments.cross, 1),
            **{
                key: spread(getattr(self.moments, key), 0)
                for key in ("target_mean", "target_scatter", "class_counts")
            },
        )
        source = None
        if self.source is not None:
            table = self.source.probabilities
            source = SourceSums(LeepTable(spread(table.sums, 0), table.n), spread(self.source.predicted, 0))
        return ShardSums(moments, names, source)


def sums_of(features: Blocks, labels: np.ndarray, source: Blocks | None) -> ShardSums:
    """The sums over rows of features (n, d), labels by name (n,) or numbers (n,), and source probabilities (n, z)."""
    names, values = None, labels
    if labels.dtype.kind == "U":
        found, values = np.unique(labels, return_inverse=True)
        names = tuple(found.tolist())
    n_classes = None if names is None else len(names)
    moments, tables = None, None
    for start, block in features.blocks():
        part = FeatureMoments.from_rows(block, values[start : start + len(block)], n_classes)
        moments = part if moments is None else moments.merge(part)
    if source is not None and n_classes is not None:
        for start, block in source.blocks():
            part = _source_sums(block, values[start : start + len(block)], n_classes)
            tables = part if tables is None else tables.merge(part)
    return ShardSums(moments, names, tables)


def _source_sums(probabilities: np.ndarray, codes: np.ndarray, n_classes: int) -> SourceSums:
    predicted = np.zeros((n_classes, probabilities.shape[1]))
    np.add.at(predicted, (codes, probabilities.argmax(axis=1)), 1.0)
    return SourceSums(LeepTable.from_rows(probabilities, codes, n_classes=n_classes), predicted)
