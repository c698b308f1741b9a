"""Which arrays an .npy, .npz or .safetensors file holds, and where: headers are read, values are not."""

import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np

from carryover._core.errors import InputError
from carryover.data.disk_rows import DiskRows, RawMatrix, StreamedRows
from carryover.data.feature_rows import FeatureRows

_PART_BYTES = 1 << 24
_MAX_HEADER_BYTES = 100_000_000
_SAFETENSORS_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2",
    "I8": "|i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1",
}  # fmt: skip


@dataclass(frozen=True)
class StoredArray:
    """An array in a file: its shape and dtype, and how to load it whole or read it by rows (matrices)."""

    shape: tuple[int, ...]
    dtype: str
    load: Callable[[], np.ndarray]
    rows: Callable[[], FeatureRows]


@dataclass(frozen=True)
class Layout:
    """The arrays of a file by key, and its text metadata."""

    arrays: dict[str, StoredArray]
    metadata: dict[str, str] = field(default_factory=dict)


def npy_layout(path: Path) -> Layout:
    """The one array of an .npy file, under the key ``features``; pickles and truncated files are refused."""
    with path.open("rb") as stream:
        shape, fortran, dtype = _npy_header(stream, f"{path}")
        offset = stream.tell()
    array = _raw_array(path, offset, shape, dtype, fortran=fortran)
    return Layout({"features": array})


def npz_layout(path: Path) -> Layout:
    """The arrays of an .npz archive; stored members are read in place, compressed ones as streams."""
    arrays = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if info.filename.endswith(".npy"):
                    arrays[info.filename.removesuffix(".npy")] = _npz_member(archive, info, path)
    except (zipfile.BadZipFile, EOFError, OSError, struct.error) as error:
        raise InputError(f"{path} is not a readable .npz archive ({error}): it may be truncated") from error
    return Layout(arrays)


def safetensors_layout(path: Path) -> Layout:
    """The tensors of a .safetensors file; bfloat16 becomes float32; truncated files are refused."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        prefix = stream.read(8)
        length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else 0
        if not 2 <= length <= min(size - 8, _MAX_HEADER_BYTES):
            raise InputError(f"{path} is not a whole safetensors file: its header is missing or truncated")
        try:
            header = json.loads(stream.read(length))
            metadata = header.pop("__metadata__", {})
            arrays = {key: _tensor(path, entry, start=8 + length) for key, entry in header.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path} has a safetensors header that cannot be read ({error})") from error
    return Layout(arrays, metadata)


def _npy_header(stream: IO[bytes], where: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, order and dtype; leaves the stream at the first value."""
    try:
        version = np.lib.format.read_magic(stream)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = read(stream)
    except ValueError as error:
        raise InputError(f"{where} is not a NumPy array file ({error})") from error
    if dtype.hasobject:
        raise InputError(
            f"{where} holds Python objects (a pickle), which are never loaded: save numbers, or strings with "
            "astype(str)"
        )
    return shape, fortran, dtype


def _raw_array(
    path: Path,
    offset: int,
    shape: tuple[int, ...],
    dtype: np.dtype,
    *,
    fortran: bool = False,
    bfloat16: bool = False,
) -> StoredArray:
    n_bytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    found = path.stat().st_size - offset
    if found < n_bytes:
        raise InputError(
            f"{path} is truncated: shape {tuple(shape)} of {dtype} needs {n_bytes:,} bytes, {found:,} are there; "
            "write the file again"
        )
    matrix = RawMatrix(path, offset, tuple(shape), dtype, fortran=fortran, bfloat16=bfloat16)

    def load() -> np.ndarray:
        with path.open("rb") as stream:
            stream.seek(offset)
            values = np.frombuffer(stream.read(n_bytes), dtype=dtype)
        values = values.reshape(shape, order="F" if fortran else "C")
        return (values.astype(np.uint32) << 16).view(np.float32) if bfloat16 else values

    return StoredArray(tuple(shape), "float32" if bfloat16 else str(dtype), load, partial(DiskRows, matrix))


def _npz_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> StoredArray:
    with archive.open(info) as member:
        shape, fortran, dtype = _npy_header(member, f"{path}, key {info.filename.removesuffix('.npy')!r}")
        header_bytes = member.tell()
    if info.compress_type == zipfile.ZIP_STORED:
        with path.open("rb") as stream:
            stream.seek(info.header_offset + 26)
            name_bytes, extra_bytes = struct.unpack("<HH", stream.read(4))
        offset = info.header_offset + 30 + name_bytes + extra_bytes + header_bytes
        return _raw_array(path, offset, shape, dtype, fortran=fortran)

    def load() -> np.ndarray:
        try:
            with zipfile.ZipFile(path) as again, again.open(info) as member:
                return np.lib.format.read_array(member, allow_pickle=False)
        except (zipfile.BadZipFile, EOFError, ValueError, OSError) as error:
            raise InputError(f"{path} cannot be decompressed ({error}): write it again") from error

    def rows() -> FeatureRows:
        if fortran:
            raise InputError(
                f"{path} holds compressed column-major features: save np.ascontiguousarray(features)"
            )
        return StreamedRows(partial(_decompressed, path, info, shape, dtype), shape, path=path)

    return StoredArray(tuple(shape), str(dtype), load, rows)


def _decompressed(
    path: Path, info: zipfile.ZipInfo, shape: tuple[int, ...], dtype: np.dtype
) -> Iterator[np.ndarray]:
    row_bytes = shape[1] * dtype.itemsize
    wanted = np.float64 if dtype.itemsize == 8 else np.float32
    try:
        with zipfile.ZipFile(path) as archive, archive.open(info) as member:
            _npy_header(member, str(path))
            while data := member.read(max(1, _PART_BYTES // row_bytes) * row_bytes):
                yield np.frombuffer(data, dtype=dtype).reshape(-1, shape[1]).astype(wanted)
    except (zipfile.BadZipFile, EOFError, ValueError, OSError) as error:
        raise InputError(f"{path} cannot be decompressed ({error}): write it again") from error


def _tensor(path: Path, entry: dict, *, start: int) -> StoredArray:
    name, shape, (low, high) = entry["dtype"], tuple(map(int, entry["shape"])), entry["data_offsets"]
    if name not in _SAFETENSORS_DTYPES:
        raise InputError(f"{path} holds a tensor of type {name}: save it as F32")
    dtype = np.dtype(_SAFETENSORS_DTYPES[name])
    if (
        min(shape, default=0) < 0
        or low < 0
        or high - low != int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    ):
        raise InputError(f"{path} has a safetensors header whose shape and offsets disagree: write it again")
    return _raw_array(path, start + low, shape, dtype, bfloat16=name == "BF16")
