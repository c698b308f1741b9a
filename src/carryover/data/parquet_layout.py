"""Features in Parquet: a list column ``features``, or numeric columns f0, f1, ...; read by batches of rows."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from carryover._core.errors import InputError
from carryover.data.disk_rows import StreamedRows
from carryover.data.feature_rows import BLOCK_ROWS
from carryover.data.layouts import Layout, StoredArray

if TYPE_CHECKING:
    import pyarrow as pa

_BUFFER_BYTES = 1 << 20


def parquet_layout(path: Path) -> Layout:
    """The columns of a Parquet file: list columns are matrices, f0..fd together are ``features``."""
    with _open(path) as file:
        schema, n_rows = file.schema_arrow, file.metadata.num_rows
    arrays = {}
    numbered = sorted(
        (name for name in schema.names if re.fullmatch(r"f\d+", name)), key=lambda name: int(name[1:])
    )
    if "features" not in schema.names and numbered:
        if numbered != [f"f{i}" for i in range(len(numbered))]:
            raise InputError(f"{path} has feature columns with gaps: they must be f0..f{len(numbered) - 1}")
        dtype = np.result_type(*[_numpy_dtype(schema.field(name).type) for name in numbered])
        arrays["features"] = _matrix(path, numbered, (n_rows, len(numbered)), dtype)
    for field in schema:
        if _is_list(field.type):
            width = _width(path, field.name, field.type) if n_rows else 0
            arrays[field.name] = _matrix(
                path, [field.name], (n_rows, width), _numpy_dtype(field.type.value_type)
            )
        elif field.name not in numbered:
            load = partial(column_values, path, field.name)
            arrays[field.name] = StoredArray(
                (n_rows,), str(field.type), load, partial(_no_rows, path, field.name)
            )
    return Layout(arrays)


def column_values(path: Path, name: str) -> np.ndarray:
    """A column as an array: numbers and booleans as they are, text as strings, missing values as objects."""
    try:
        with _open(path) as file:
            column = file.read(columns=[name]).column(0)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error}): it may be truncated") from error
    if hasattr(column.type, "value_type") and not _is_list(column.type):
        column = column.cast(column.type.value_type)
    if column.null_count:
        return np.array(column.to_pylist(), dtype=object)
    array = column.to_numpy()
    return np.array(column.to_pylist()) if array.dtype.hasobject else array


def _open(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False, memory_map=False)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} is not a readable Parquet file ({error}): it may be truncated") from error


def _is_list(kind: "pa.DataType") -> bool:
    import pyarrow.types as types

    return types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)


def _numpy_dtype(kind: "pa.DataType") -> np.dtype:
    try:
        return np.dtype(kind.to_pandas_dtype())
    except NotImplementedError:
        return np.dtype(object)


def _width(path: Path, name: str, kind: "pa.DataType") -> int:
    if (fixed := getattr(kind, "list_size", -1)) > 0:
        return fixed
    with _open(path) as file:
        first = next(file.iter_batches(batch_size=1, columns=[name])).column(0)[0].as_py()
    if first is None:
        raise InputError(f"{path}, column {name!r} is empty in row 0: every row must hold a list of numbers")
    return len(first)


def _matrix(path: Path, columns: list[str], shape: tuple[int, int], dtype: np.dtype) -> StoredArray:
    def rows() -> StreamedRows:
        return StreamedRows(partial(_parts, path, columns, shape[1]), shape, path=path)

    return StoredArray(shape, str(dtype), lambda: rows().all(), rows)


def _no_rows(path: Path, name: str) -> Any:
    raise InputError(f"{path}, column {name!r} is not a list of numbers in each row")


def _parts(path: Path, columns: list[str], width: int) -> Iterator[np.ndarray]:
    start = 0
    try:
        with _open(path) as file:
            for batch in file.iter_batches(batch_size=BLOCK_ROWS, columns=columns, use_threads=False):
                arrays = [batch.column(name) for name in columns]
                empty = next((a for a in arrays if a.null_count), None)
                if empty is not None:
                    row = start + int(np.flatnonzero(empty.is_null().to_numpy(zero_copy_only=False))[0])
                    raise InputError(
                        f"{path} has missing feature values, the first in row {row}: fill or drop them"
                    )
                yield _lists(arrays[0], width, start, path) if _is_list(arrays[0].type) else _stacked(arrays)
                start += len(batch)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error}): it may be truncated") from error


def _stacked(arrays: list["pa.Array"]) -> np.ndarray:
    block = np.stack([array.to_numpy(zero_copy_only=False) for array in arrays], axis=1)
    return block.astype(np.float64 if block.dtype.itemsize == 8 else np.float32, copy=False)


def _lists(array: "pa.Array", width: int, start: int, path: Path) -> np.ndarray:
    if getattr(array.type, "list_size", -1) < 0:
        lengths = array.value_lengths().to_numpy(zero_copy_only=False)
        if (lengths != width).any():
            row = int(np.flatnonzero(lengths != width)[0])
            raise InputError(
                f"{path} has {lengths[row]} features in row {start + row} and {width} in row 0: "
                "rows must be equally long"
            )
    flat = array.flatten()
    if flat.null_count:
        row = start + int(np.flatnonzero(flat.is_null().to_numpy(zero_copy_only=False))[0]) // width
        raise InputError(f"{path} has missing feature values, the first in row {row}: fill or drop them")
    block = flat.to_numpy(zero_copy_only=False).reshape(-1, width)
    return block.astype(np.float64 if block.dtype.itemsize == 8 else np.float32, copy=False)
