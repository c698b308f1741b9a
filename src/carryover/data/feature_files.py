"""Precomputed features: any framework and any modality, in .npz, .npy, .safetensors or .parquet files."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from carryover._core.errors import InputError, did_you_mean
from carryover.data.feature_folders import files_of, join
from carryover.data.feature_rows import FeatureRows
from carryover.data.hashing import example_hash, id_hashes
from carryover.data.layouts import Layout, StoredArray, npy_layout, npz_layout, safetensors_layout
from carryover.data.parquet_layout import column_values, parquet_layout

LAYOUTS: dict[str, Callable[[Path], Layout]] = {
    ".npz": npz_layout,
    ".npy": npy_layout,
    ".safetensors": safetensors_layout,
    ".parquet": parquet_layout,
}
VECTOR_KEYS = ("labels", "ids", "groups")


@dataclass(frozen=True)
class FeatureFile:
    """Features of n examples with what else the file (or folder) holds; ``keys`` are all the keys that are there.

    ``labels``, ``ids`` and ``groups`` are raw vectors (n,) or None; ``class_names`` are kept where the
    format has them (safetensors metadata); ``source_probabilities`` (n, z) are a source model's outputs.
    """

    path: Path
    features: FeatureRows
    keys: tuple[str, ...]
    labels: np.ndarray | None = None
    ids: np.ndarray | None = None
    groups: np.ndarray | None = None
    source_probabilities: FeatureRows | None = None
    class_names: tuple[str, ...] | None = None

    def require_labels(self) -> np.ndarray:
        """The labels; InputError that lists the file's keys where there are none."""
        if self.labels is None:
            raise InputError(
                f"{self.path} has no labels: {did_you_mean('labels', self.keys)}. Add the key, or name a labels file"
            )
        return self.labels

    def hashes(self) -> list[str]:
        """A hash for each example: of its id where there are ids, else of its row's bytes."""
        if self.ids is not None:
            return id_hashes(self.ids)
        return [example_hash(row) for _, block in self.features.blocks() for row in block]


def open_features(
    path: str | Path,
    *,
    labels: str | Path | None = None,
    labels_column: str | None = None,
    check: bool = True,
) -> FeatureFile:
    """Open a feature file without reading the features into memory, or a folder of them as one.

    Keys: features (n, d), labels (n,), optional ids, groups (n,), source_probabilities (n, z).  An .npy file
    holds features only; ``labels`` then names a labels file (:func:`read_label_file`).  Of a folder the rows of its
    files follow each other in the order of their names.  ``check`` reads the features once, by blocks, for NaN and
    infinity, and the probabilities for rows that do not sum to 1.

    InputError: missing file or key, unknown format, pickles, truncated files, other than 2 dimensions,
    other than floats, lengths that disagree, values that are not finite, duplicate ids, files of a folder that do not
    fit together.
    """
    path = Path(path).expanduser()
    if not path.is_dir():
        return _open_file(path, labels, labels_column, check=check)
    parts = [_open_file(file, None, None, check=check) for file in files_of(path)]
    whole = join(path, parts)
    if labels is not None:
        own = read_label_file(labels, column=labels_column)
        whole = replace(whole, labels=_check_length(own, Path(labels), "labels", len(whole.features)))
    _check_ids(whole.ids, path)
    return whole


def _open_file(
    path: Path, labels: str | Path | None, labels_column: str | None, *, check: bool
) -> FeatureFile:
    path = _existing(path)
    if path.suffix.lower() not in LAYOUTS:
        raise InputError(f"{path} has a format that is not read: give {', '.join(LAYOUTS)}")
    layout = LAYOUTS[path.suffix.lower()](path)
    if "features" not in layout.arrays:
        raise InputError(f"{path} has no key 'features': {did_you_mean('features', layout.arrays)}")
    features = _matrix(layout.arrays["features"], path, "features")
    n = features.shape[0]
    vectors = {key: _vector(layout.arrays[key], path, key, n) for key in VECTOR_KEYS if key in layout.arrays}
    if labels is not None:
        vectors["labels"] = _check_length(
            read_label_file(labels, column=labels_column), Path(labels), "labels", n
        )
    probabilities = None
    if "source_probabilities" in layout.arrays:
        probabilities = _matrix(layout.arrays["source_probabilities"], path, "source_probabilities")
        if probabilities.shape[0] != n:
            raise InputError(
                f"{path} has {n} rows of features and {probabilities.shape[0]} of source_probabilities"
            )
    _check_ids(vectors.get("ids"), path)
    if check:
        check_finite(features, f"{path}, features")
        if probabilities is not None:
            _check_probabilities(probabilities, path)
    names = layout.metadata.get("class_names")
    return FeatureFile(
        path, features, tuple(layout.arrays), source_probabilities=probabilities,
        class_names=tuple(json.loads(names)) if names else None, **vectors,
    )  # fmt: skip


def check_finite(rows: FeatureRows, name: str) -> None:
    """One pass over the blocks; InputError with the count of NaN and infinite values and the first row."""
    n_wrong, first = 0, None
    for start, block in rows.blocks():
        finite = np.isfinite(block)
        if not finite.all():
            n_wrong += int((~finite).sum())
            if first is None:
                first = start + int(np.flatnonzero(~finite.all(axis=1))[0])
    if n_wrong:
        raise InputError(
            f"{name}: {n_wrong:,} values are NaN or infinite, the first in row {first}: remove those examples or "
            "extract the features again"
        )


def read_label_file(path: str | Path, *, column: str | None = None) -> np.ndarray:
    """Labels from .npy (a vector), .txt (one a line), or a column of .csv or .parquet.

    ``column`` may be left out where the table has one column or one called ``labels`` or ``label``.
    """
    path = _existing(path)
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return npy_layout(path).arrays["features"].load()
    if suffix == ".txt":
        return np.array(path.read_text(encoding="utf-8").splitlines())
    if suffix == ".csv":
        return _csv_column(path, column)
    if suffix == ".parquet":
        return column_values(path, _choose_column(path, list(parquet_layout(path).arrays), column))
    raise InputError(f"{path} has a format that is not read for labels: give .npy, .txt, .csv or .parquet")


def _csv_column(path: Path, column: str | None) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.csv

    try:
        table = pyarrow.csv.read_csv(path)
    except pa.ArrowException as error:
        raise InputError(f"{path} is not a readable CSV table ({error})") from error
    values = table.column(_choose_column(path, table.column_names, column)).to_pylist()
    return np.array(values, dtype=object) if None in values else np.array(values)


def _choose_column(path: Path, columns: list[str], column: str | None) -> str:
    if column is not None and column not in columns:
        raise InputError(f"{path} has no column {column!r}: {did_you_mean(column, columns)}")
    usual = [name for name in ("labels", "label") if name in columns] or columns
    if column is None and len(usual) != 1:
        raise InputError(f"{path} has several columns, name the one with labels: {', '.join(columns)}")
    return column or usual[0]


def _existing(path: str | Path) -> Path:
    path = Path(path).expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        raise InputError(f"{path} is a folder: give one file with labels")
    siblings = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
    raise InputError(f"{path} does not exist; in {path.parent} {did_you_mean(path.name, siblings[:20])}")


def _matrix(array: StoredArray, path: Path, key: str) -> FeatureRows:
    if len(array.shape) != 2 or 0 in array.shape:
        raise InputError(
            f"{path}, {key} must be a matrix (examples, features) with at least one of each, got shape "
            f"{array.shape}: pool or flatten what follows the first dimension"
        )
    if array.dtype not in ("float16", "float32", "float64", ">f2", ">f4", ">f8"):
        raise InputError(
            f"{path}, {key} must be float16, float32 or float64, got {array.dtype}: convert to float32"
        )
    return array.rows()


def _vector(array: StoredArray, path: Path, key: str, n: int) -> np.ndarray:
    values = array.load()
    if key == "ids" and values.ndim == 2 and values.dtype == np.uint8:
        values = np.array([bytes(row).rstrip(b"\0").decode("utf-8") for row in values])
    return _check_length(values, path, key, n)


def _check_length(values: np.ndarray, path: Path, key: str, n: int) -> np.ndarray:
    if values.shape != (n,):
        raise InputError(
            f"{path}, {key} must be a vector with one entry for each of {n} rows, got shape {values.shape}"
        )
    return values


def _check_ids(ids: np.ndarray | None, path: Path) -> None:
    if ids is None:
        return
    distinct, counts = np.unique(ids.astype(str), return_counts=True)
    if len(distinct) < len(ids):
        example = distinct[counts > 1][0]
        raise InputError(
            f"{path} has {len(ids) - len(distinct)} duplicate ids, such as {str(example)!r}: an id names one example"
        )


def _check_probabilities(rows: FeatureRows, path: Path) -> None:
    for start, block in rows.blocks():
        wrong = ~((block >= -1e-6).all(axis=1) & (np.abs(block.sum(axis=1, dtype=np.float64) - 1) < 1e-3))
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise InputError(
                f"{path}, source_probabilities in row {start + row} are not probabilities (>= 0 with sum 1): "
                "apply softmax to logits"
            )
