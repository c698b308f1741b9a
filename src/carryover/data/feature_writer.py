"""Write features to .npz, .npy, .safetensors or .parquet: by blocks, and whole or not at all."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np

from carryover._core.errors import InputError
from carryover.data.atomic import written_whole
from carryover.data.feature_rows import FeatureRows, MemoryRows

Contents = dict[str, "FeatureRows | np.ndarray"]
_SAFETENSORS_NAMES = {"f4": "F32", "f8": "F64", "i8": "I64", "u1": "U8"}


def save_features(
    path: str | Path,
    features: FeatureRows | np.ndarray,
    *,
    labels: np.ndarray | None = None,
    ids: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    source_probabilities: FeatureRows | np.ndarray | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a feature file that :func:`open_features` reads back; the suffix of ``path`` chooses the format.

    Features are float32 (float64 where they came so) and are streamed.  In safetensors, which has numbers
    only, string labels become codes with the names in the metadata, string ids rows of UTF-8 bytes, string
    groups codes.  An .npy file takes features only.  InputError: unknown suffix, lengths that disagree,
    an existing file without ``overwrite``.  DiskFullError where no space is left; nothing half-written remains.
    """
    path = Path(path)
    if path.suffix not in _WRITERS:
        raise InputError(f"{path} has a format that is not written: give {', '.join(_WRITERS)}")
    given = {"labels": labels, "ids": ids, "groups": groups, "source_probabilities": source_probabilities}
    contents: Contents = {"features": _rows(features)}
    n = contents["features"].shape[0]
    for key, value in given.items():
        if value is not None:
            contents[key] = _rows(value) if key == "source_probabilities" else _plain_vector(value, key)
            if contents[key].shape[0] != n:
                raise InputError(
                    f"{key} must have one entry for each of {n} rows, got {contents[key].shape[0]}"
                )
    if path.suffix == ".npy" and len(contents) > 1:
        raise InputError(f"an .npy file holds features only, not {', '.join(list(contents)[1:])}: write .npz")
    with written_whole(path, overwrite=overwrite) as partial:
        _WRITERS[path.suffix](partial, contents)
    return path


def _rows(value: FeatureRows | np.ndarray) -> FeatureRows:
    return value if hasattr(value, "blocks") else MemoryRows(np.asarray(value))


def _plain_vector(value: np.ndarray, key: str) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.hasobject:
        array = np.array(array.tolist())
    if array.ndim != 1 or array.dtype.kind not in "biufU":
        raise InputError(f"{key} must be a vector of numbers or strings, got {array.dtype} {array.shape}")
    return array


def _dtype(rows: FeatureRows) -> np.dtype:
    return next(iter(rows.blocks(rows=1)))[1].dtype


def _write_blocks(stream: IO[bytes], rows: FeatureRows) -> None:
    for _, block in rows.blocks():
        stream.write(np.ascontiguousarray(block).data.cast("B"))


def _write_array(stream: IO[bytes], value: FeatureRows | np.ndarray) -> None:
    if isinstance(value, np.ndarray):
        np.lib.format.write_array(stream, value, allow_pickle=False)
        return
    descr = np.lib.format.dtype_to_descr(_dtype(value))
    header = {"descr": descr, "fortran_order": False, "shape": tuple(map(int, value.shape))}
    np.lib.format.write_array_header_1_0(stream, header)
    _write_blocks(stream, value)


def _write_npy(path: Path, contents: Contents) -> None:
    with path.open("wb") as stream:
        _write_array(stream, contents["features"])


def _write_npz(path: Path, contents: Contents) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for key, value in contents.items():
            with archive.open(zipfile.ZipInfo(f"{key}.npy"), "w", force_zip64=True) as stream:
                _write_array(stream, value)


def _numbers(key: str, value: np.ndarray, metadata: dict[str, str]) -> np.ndarray:
    """A vector as int64, float or uint8 numbers; names of classes go to the metadata."""
    if value.dtype.kind == "f":
        return value.astype("<f8")
    if value.dtype.kind != "U":
        return value.astype("<i8")
    if key == "ids":
        encoded = np.char.encode(value, "utf-8")
        return encoded.view(np.uint8).reshape(len(value), -1)
    names, codes = np.unique(value, return_inverse=True)
    if key == "labels":
        metadata["class_names"] = json.dumps(names.tolist())
    return codes.astype("<i8")


def _write_safetensors(path: Path, contents: Contents) -> None:
    header: dict[str, object] = {}
    metadata: dict[str, str] = {}
    plain = {k: _numbers(k, v, metadata) if isinstance(v, np.ndarray) else v for k, v in contents.items()}
    offset = 0
    for key, value in plain.items():
        dtype = value.dtype if isinstance(value, np.ndarray) else _dtype(value)
        stop = offset + int(np.prod(value.shape, dtype=np.int64)) * dtype.itemsize
        name = _SAFETENSORS_NAMES[dtype.str[1:]]
        header[key] = {"dtype": name, "shape": list(map(int, value.shape)), "data_offsets": [offset, stop]}
        offset = stop
    if metadata:
        header["__metadata__"] = metadata
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        for value in plain.values():
            if isinstance(value, np.ndarray):
                stream.write(np.ascontiguousarray(value).tobytes())
            else:
                _write_blocks(stream, value)


def _write_parquet(path: Path, contents: Contents) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    vectors = {key: value for key, value in contents.items() if isinstance(value, np.ndarray)}
    matrices = {key: value.blocks() for key, value in contents.items() if key not in vectors}
    start, writer = 0, None
    try:
        while start < contents["features"].shape[0]:
            columns = {key: _list_column(next(blocks)[1]) for key, blocks in matrices.items()}
            stop = start + len(columns["features"])
            columns |= {key: pa.array(value[start:stop]) for key, value in vectors.items()}
            table = pa.table(columns)
            # Floats hardly repeat: dictionaries of them cost time and save nothing.
            writer = writer or pq.ParquetWriter(path, table.schema, use_dictionary=list(vectors))
            writer.write_table(table)
            start = stop
    finally:
        if writer is not None:
            writer.close()


def _list_column(block: np.ndarray) -> object:
    import pyarrow as pa

    return pa.FixedSizeListArray.from_arrays(pa.array(block.reshape(-1)), block.shape[1])


_WRITERS: dict[str, Callable[[Path, Contents], None]] = {
    ".npz": _write_npz,
    ".npy": _write_npy,
    ".safetensors": _write_safetensors,
    ".parquet": _write_parquet,
}
