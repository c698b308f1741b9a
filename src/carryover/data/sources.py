"""Data sets from a folder, a file or a hub id, through ``datasets.load_dataset``: columns, rows, images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from carryover._core.errors import InputError, did_you_mean
from carryover.data.images import ImageColumn, encoded_images
from carryover.data.load import load_splits

if TYPE_CHECKING:
    from datasets import Dataset

LABEL_NAMES = ("label", "labels", "fine_label", "class", "target", "y")
IMAGE_NAMES = ("image", "img", "images", "pixels", "picture", "photo")


@dataclass(frozen=True)
class DataSource:
    """One split of a data set, and the rows of it that a filter left.

    ``splits`` are all the splits there are; ``rows`` (m,) int64 are positions in the split, in order, and
    row numbers in messages are those.  Nothing is decoded until it is read.
    """

    name: str
    split: str
    splits: tuple[str, ...]
    dataset: "Dataset"
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.dataset.column_names)

    def class_names(self, column: str) -> tuple[str, ...] | None:
        """The names of a ClassLabel column, None for any other."""
        names = getattr(self.dataset.features[self._known(column)], "names", None)
        return tuple(names) if names else None

    def values(self, column: str) -> np.ndarray | list[Any]:
        """The raw values of a column at the kept rows: an array for numbers, a list otherwise."""
        return _take(self.dataset, self._known(column), self.rows)

    def label_column(self, given: str | None = None) -> str:
        """The label column: the one given, else label or labels, else the only candidate.

        Candidates are ClassLabel columns and columns called fine_label, class, target or y.  InputError
        where there are several candidates or none, with a list.
        """
        if given is not None:
            return self._known(given)
        candidates = [one for one in self.columns if self.class_names(one) or one.lower() in LABEL_NAMES]
        plain = [one for one in candidates if one.lower() in ("label", "labels")]
        if len(plain) == 1:
            candidates = plain
        return _only(candidates, "label_column", self)

    def image_column(self, given: str | None = None) -> str:
        """The image column: the one given, else the only column of type Image, else one named like one.

        InputError where there are several candidates or none, or the one given holds no images.
        """
        from datasets import Image

        images = [column for column in self.columns if isinstance(self.dataset.features[column], Image)]
        holding = images or [c for c in self.columns if c.lower() in IMAGE_NAMES and self._holds_bytes(c)]
        if given is None:
            return _only(holding, "image_column", self)
        if not self._holds_bytes(self._known(given)):
            raise InputError(
                f"column {given!r} of {self.name} holds no images but {self.dataset.features[given]}: "
                f"image columns are {', '.join(holding) or 'none'}"
            )
        return given

    def images(
        self,
        column: str | None = None,
        *,
        size: int | tuple[int, int] | None = None,
        channels: int | None = None,
        threads: int = 1,
    ) -> ImageColumn:
        """The images of the kept rows; size, channels and threads as in ``encoded_images``."""
        column = self.image_column(column)
        name = f"{self.name} ({self.split}), column {column}"

        def fetch(rows: np.ndarray) -> list[bytes]:
            cells = zip(rows, _take(self.dataset, column, rows), strict=True)
            return [_bytes_of(cell, f"the image in row {row} of {name}") for row, cell in cells]

        n = self.dataset.num_rows
        return encoded_images(
            fetch, n, rows=self.rows, size=size, channels=channels, name=name, threads=threads
        )

    def where(self, conditions: Mapping[str, Any]) -> "DataSource":
        """The rows in which each column has the value given, or one of the values of a list.

        ClassLabel columns take names or numbers.  InputError: no such column or class, or no row left.
        """
        kept = np.ones(len(self.rows), dtype=bool)
        for column, wanted in conditions.items():
            wanted_list = list(wanted) if isinstance(wanted, (list, tuple, set)) else [wanted]
            codes = {self._code(column, one) for one in wanted_list}
            kept &= np.array([value in codes for value in self._plain(column)], dtype=bool)
        if not kept.any():
            shown = ", ".join(f"{column} = {wanted!r}" for column, wanted in conditions.items())
            seen = "; ".join(f"{column} has {_some(self._plain(column))}" for column in conditions)
            raise InputError(f"no row of {self.name} ({self.split}) satisfies where {shown}: {seen}")
        return DataSource(self.name, self.split, self.splits, self.dataset, self.rows[kept])

    def _code(self, column: str, wanted: Any) -> Any:
        names = self.class_names(column)
        if names is None or not isinstance(wanted, str):
            return wanted
        if wanted not in names:
            raise InputError(
                f"column {column!r} of {self.name} has no class {wanted!r}: {did_you_mean(wanted, names)}"
            )
        return names.index(wanted)

    def _plain(self, column: str) -> list[Any]:
        values = self.values(column)
        return values.tolist() if isinstance(values, np.ndarray) else values

    def _known(self, column: str) -> str:
        if column not in self.columns:
            raise InputError(f"{self.name} has no column {column!r}: {did_you_mean(column, self.columns)}")
        return column

    def _holds_bytes(self, column: str) -> bool:
        kind = str(self.dataset.data.schema.field(column).type)
        return kind.startswith(("struct<bytes: binary", "binary", "large_binary")) or "path: string" in kind


def open_dataset(
    path_or_hub_id: str | Path,
    *,
    split: str | None = None,
    where: Mapping[str, Any] | None = None,
    config: str | None = None,
) -> DataSource:
    """One split of a local folder (Parquet, image folder), a single Parquet file, or a hub id.

    ``split`` None takes the only split, or ``train``.  ``where`` keeps the rows with these values
    (:meth:`DataSource.where`); ``config`` names a hub data set's subset.  Code that comes with a data set is
    never run.  InputError: a path that does not exist, a hub that cannot be reached, an unreadable file, an
    unknown split (with a list), an empty split.
    """
    name = Path(path_or_hub_id).name if Path(path_or_hub_id).expanduser().exists() else str(path_or_hub_id)
    loaded = load_splits(path_or_hub_id, config=config)
    splits = tuple(loaded)
    if split is None:
        split = splits[0] if len(splits) == 1 else "train"
        if split not in splits:
            raise InputError(f"{name} has several splits, name one: {', '.join(splits)}")
    if split not in splits:
        raise InputError(f"{name} has no split {split!r}: {did_you_mean(split, splits)}")
    if not loaded[split].num_rows:
        raise InputError(f"split {split!r} of {name} is empty")
    source = DataSource(name, split, splits, loaded[split], np.arange(loaded[split].num_rows))
    return source.where(where) if where else source


def _take(dataset: "Dataset", column: str, rows: np.ndarray) -> np.ndarray | list[Any]:
    """Raw (undecoded) values of a column at these rows, straight from Arrow."""
    table = dataset.select_columns([column]).with_format("arrow")
    if not len(rows):
        return []
    whole = len(rows) == dataset.num_rows and (rows == np.arange(len(rows))).all()
    contiguous = bool((np.diff(rows) == 1).all())
    key = slice(int(rows[0]), int(rows[-1]) + 1) if whole or contiguous else rows.tolist()
    values = table[key][column]
    kind = str(values.type)
    if not values.null_count and (kind.startswith(("int", "uint", "float", "double", "bool", "halffloat"))):
        return values.to_numpy()
    return values.to_pylist()


def _bytes_of(cell: Any, where: str) -> bytes:
    if isinstance(cell, bytes):
        return cell
    if isinstance(cell, dict) and cell.get("bytes") is not None:
        return cell["bytes"]
    path = cell.get("path") if isinstance(cell, dict) else None
    if not path:
        raise InputError(f"{where} is missing: remove that row")
    import fsspec

    try:
        with fsspec.open(path, "rb") as stream:
            return stream.read()
    except (OSError, ValueError) as error:
        raise InputError(f"{where} cannot be read from {path} ({error})") from error


def _only(candidates: Sequence[str], argument: str, source: DataSource) -> str:
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        raise InputError(
            f"{source.name} has several candidates for {argument}, name one: {', '.join(candidates)}"
        )
    raise InputError(
        f"{source.name} has no evident {argument}, name it; columns are: {', '.join(source.columns)}"
    )


def _some(values: list[Any], limit: int = 8) -> str:
    distinct = sorted({str(value) for value in values})
    return ", ".join(distinct[:limit]) + (", ..." if len(distinct) > limit else "")
