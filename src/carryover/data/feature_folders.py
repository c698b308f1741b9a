"""A folder of feature files as one: the rows of its files, one after the other in the order of their names."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from carryover._core.errors import InputError
from carryover.data.disk_rows import StreamedRows
from carryover.data.feature_rows import BLOCK_ROWS, FeatureRows, check_indices

if TYPE_CHECKING:
    from carryover.data.feature_files import FeatureFile

SUFFIXES = (".npz", ".npy", ".safetensors", ".parquet")
_OF_MODELS = ("config.json", "run.json")


class JoinedRows:
    """The rows of several matrices, one below the other; satisfies ``FeatureRows``.

    Blocks run across the parts, so that what is summed over them does not depend, bit for bit, on how rows were cut.
    """

    def __init__(self, parts: Sequence[FeatureRows], *, path: Path) -> None:
        self._parts = tuple(parts)
        self._ends = np.cumsum([len(part) for part in self._parts])
        self._streamed = StreamedRows(
            self._blocks_of_parts, (int(self._ends[-1]), parts[0].shape[1]), path=path
        )

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def shape(self) -> tuple[int, int]:
        return self._streamed.shape

    @property
    def content_hash(self) -> str:
        return self._streamed.content_hash

    def blocks(self, rows: int = BLOCK_ROWS) -> Iterator[tuple[int, np.ndarray]]:
        return self._streamed.blocks(rows)

    def take(self, indices: np.ndarray) -> np.ndarray:
        wanted = check_indices(indices, len(self))
        part = np.searchsorted(self._ends, wanted, side="right")
        order = np.argsort(part, kind="stable")
        begins = self._ends - [len(one) for one in self._parts]
        found = [
            self._parts[number].take(wanted[order][part[order] == number] - begins[number])
            for number in (np.unique(part) if len(part) else [0])
        ]
        return np.concatenate(found)[np.argsort(order, kind="stable")]

    def all(self) -> np.ndarray:
        return np.concatenate([part.all() for part in self._parts])

    def _blocks_of_parts(self) -> Iterator[np.ndarray]:
        return (block for part in self._parts for _, block in part.blocks())


def files_of(folder: Path) -> list[Path]:
    """The feature files of a folder, in the order of their names; InputError for none, and for several formats."""
    files = sorted(path for path in folder.iterdir() if _is_features(path))
    if not files:
        raise InputError(
            f"{folder} is a folder without a feature file: give a file or files ({', '.join(SUFFIXES)})"
        )
    formats = sorted({path.suffix.lower() for path in files})
    if len(formats) > 1:
        raise InputError(f"{folder} has feature files of several formats ({', '.join(formats)}): keep one")
    return files


def is_feature_folder(folder: Path) -> bool:
    """Whether a folder holds feature files, and neither a network (whose weights are .safetensors, too) nor a run.

    >>> is_feature_folder(Path("no/such/folder"))
    False
    """
    return (
        folder.is_dir()
        and not any((folder / name).exists() for name in _OF_MODELS)
        and any(_is_features(path) and path.suffix.lower() != ".safetensors" for path in folder.iterdir())
    )


def join(folder: Path, parts: Sequence["FeatureFile"]) -> "FeatureFile":
    """The files as one, of the keys that all of them have; InputError names the file that does not fit the first."""
    first = parts[0]
    for other in parts[1:]:
        if set(other.keys) != set(first.keys):
            raise InputError(
                f"{other.path} has the keys {', '.join(sorted(other.keys))} and {first.path.name} beside it "
                f"{', '.join(sorted(first.keys))}: files of one folder must have the same"
            )
        for key in ("features", "source_probabilities"):
            widths = [getattr(one, key).shape[1] for one in (first, other) if getattr(one, key) is not None]
            if len(set(widths)) > 1:
                raise InputError(
                    f"{other.path} has {widths[1]} {key} and {first.path.name} beside it {widths[0]}"
                )
    if first.groups is not None and first.path.suffix.lower() == ".safetensors":
        raise InputError(
            f"{folder} has groups in .safetensors files, where they are numbers of each file alone: write .npz"
        )
    probabilities = [part.source_probabilities for part in parts]
    return replace(
        first,
        path=folder,
        features=JoinedRows([part.features for part in parts], path=folder),
        labels=_vector(folder, [_named(part) for part in parts], "labels"),
        ids=_vector(folder, [part.ids for part in parts], "ids"),
        groups=_vector(folder, [part.groups for part in parts], "groups"),
        source_probabilities=None if None in probabilities else JoinedRows(probabilities, path=folder),
        class_names=None,
    )


def _named(part: "FeatureFile") -> np.ndarray | None:
    """Labels by name: codes are those of one file alone."""
    if part.labels is None or part.class_names is None:
        return part.labels
    return np.array(part.class_names)[part.labels]


def _vector(folder: Path, values: Sequence[np.ndarray | None], key: str) -> np.ndarray | None:
    if any(one is None for one in values):
        return None
    if len({one.dtype.kind in "biuf" for one in values}) > 1:
        raise InputError(
            f"{folder} has {key} that are text in one file and numbers in another: write them alike"
        )
    return np.concatenate(values)


def _is_features(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
