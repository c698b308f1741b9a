"""Names for content: SHA-256 of examples, feature rows and files, and what two sets of examples share."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from carryover._core.errors import InputError

_CHUNK_BYTES = 1 << 20


def example_hash(array: np.ndarray) -> str:
    """SHA-256 (hexadecimal) of an array's bytes in C order, followed by its shape and dtype.

    Two arrays share a hash exactly when they agree in dtype, shape and every byte (collisions aside).
    The byte order is taken out: big-endian values are hashed as little-endian.

    >>> example_hash(np.zeros((2, 3), np.uint8)) == example_hash(np.zeros((3, 2), np.uint8))
    False
    """
    plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    if plain.dtype.hasobject:
        raise InputError("an array of Python objects has no stable hash: convert it to numbers or strings")
    digest = hashlib.sha256(plain.reshape(-1).view(np.uint8))
    digest.update(f"|{array.shape}|{plain.dtype.str}".encode())
    return digest.hexdigest()


def combined_hash(hashes: Iterable[str], *extra: object) -> str:
    """One SHA-256 over per-example hashes in their order, then over ``extra`` (declared size, channels).

    >>> combined_hash(["a", "b"]) == combined_hash(["b", "a"])
    False
    """
    digest = hashlib.sha256()
    for one in hashes:
        digest.update(one.encode() + b"\n")
    for item in extra:
        digest.update(f"|{item}".encode())
    return digest.hexdigest()


def row_hashes(rows: np.ndarray, ids: np.ndarray | None = None) -> list[str]:
    """A hash for each feature row: of its id where ids are given, else of the row's bytes.

    Raises InputError where the lengths disagree.
    """
    if ids is None:
        return [example_hash(row) for row in rows]
    if len(ids) != len(rows):
        raise InputError(f"ids must have one entry for each of the {len(rows)} rows, got {len(ids)}")
    return id_hashes(ids)


def id_hashes(ids: np.ndarray) -> list[str]:
    """SHA-256 of each id written as text, so that the id 7 and the id "7" are the same example."""
    return [hashlib.sha256(f"id|{one}".encode()).hexdigest() for one in np.asarray(ids).tolist()]


def path_hash(path: str | Path) -> str:
    """SHA-256 of a file's bytes, or of a folder's relative file names and bytes in sorted order.

    The path itself does not enter, so a moved folder keeps its hash.  Raises InputError for a missing path.
    """
    root = Path(path)
    if not root.exists():
        raise InputError(f"{root} does not exist: give a file or a folder that does")
    if root.is_file():
        return _file_digest(root).hexdigest()
    digest = hashlib.sha256()
    for file in sorted(f for f in root.rglob("*") if f.is_file()):
        digest.update(file.relative_to(root).as_posix().encode() + b"\0" + _file_digest(file).digest())
    return digest.hexdigest()


def _file_digest(path: Path) -> "hashlib._Hash":
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest


@dataclass(frozen=True)
class Overlap:
    """Examples that two sets share.

    ``n_shared`` counts distinct examples found in both; ``n_rows_a`` and ``n_rows_b`` count the rows on
    either side that hold one of them; ``pairs`` are the first few as (row in a, row in b).
    """

    n_shared: int
    n_rows_a: int
    n_rows_b: int
    pairs: tuple[tuple[int, int], ...]

    def sentence(self, name_a: str, name_b: str) -> str:
        """What is shared, in words; says so too when nothing is."""
        if not self.n_shared:
            return f"{name_a} and {name_b} share no example."
        rows = ", ".join(f"row {a} = row {b}" for a, b in self.pairs)
        noun = "example" if self.n_shared == 1 else "examples"
        return (
            f"{name_a} and {name_b} share {self.n_shared:,} identical {noun} "
            f"({self.n_rows_a:,} rows of {name_a}, {self.n_rows_b:,} of {name_b}; {rows}): "
            "a result measured on them is too good, remove them from one side."
        )


def overlap(hashes_a: Iterable[str], hashes_b: Iterable[str], *, n_examples: int = 5) -> Overlap:
    """What two sets of examples, given by their hashes, have in common.

    >>> overlap(["x", "y", "x"], ["z", "x"])
    Overlap(n_shared=1, n_rows_a=2, n_rows_b=1, pairs=((0, 1),))
    """
    list_a, list_b = list(hashes_a), list(hashes_b)
    first_in_b: dict[str, int] = {}
    for row, one in enumerate(list_b):
        first_in_b.setdefault(one, row)
    first_in_a: dict[str, int] = {}
    for row, one in enumerate(list_a):
        if one in first_in_b:
            first_in_a.setdefault(one, row)
    pairs = tuple((row, first_in_b[one]) for one, row in list(first_in_a.items())[:n_examples])
    return Overlap(
        n_shared=len(first_in_a),
        n_rows_a=sum(one in first_in_a for one in list_a),
        n_rows_b=sum(one in first_in_a for one in list_b),
        pairs=pairs,
    )
