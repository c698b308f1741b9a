"""Hashes of many examples in one small file, 32 bytes each, so that two sets can be compared long afterwards."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from carryover._core.errors import InputError

BYTES = 32


def save_hash_tables(path: str | Path, hashes: Mapping[str, Sequence[str]]) -> None:
    """Write the SHA-256 hashes (hexadecimal) of each named set, in order, as uint8 (n, 32)."""
    tables = {
        name: np.frombuffer(b"".join(map(bytes.fromhex, many)), dtype=np.uint8).reshape(-1, BYTES)
        for name, many in hashes.items()
    }
    save_file(tables, Path(path))


def load_hash_tables(path: str | Path) -> dict[str, UInt8[np.ndarray, "n 32"]]:
    """The sets that :func:`save_hash_tables` wrote; InputError where the file is missing or is something else."""
    try:
        tables = load_file(Path(path))
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read as hashes of examples: {error}") from error
    for name, table in tables.items():
        if table.dtype != np.uint8 or table.ndim != 2 or table.shape[1] != BYTES:
            raise InputError(f"{path}: {name!r} must be uint8 (n, {BYTES}), got {table.dtype} {table.shape}")
    return tables


def rows_in_table(hashes: Sequence[str], table: UInt8[np.ndarray, "n 32"]) -> Int[np.ndarray, " m"]:
    """Which of ``hashes`` (hexadecimal) stand in ``table``: their places, ascending.

    >>> rows_in_table(["ab" * 32, "cd" * 32], np.full((1, 32), 0xCD, dtype=np.uint8)).tolist()
    [1]
    """
    known = {row.tobytes() for row in table}
    return np.array(
        [place for place, one in enumerate(hashes) if bytes.fromhex(one) in known], dtype=np.int64
    )
