"""The folder that features are kept in: shards written whole or not at all, and a manifest that vouches for them."""

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from carryover._core.errors import DiskFullError, InputError

SCHEMA = "carryover.features/1"
FIELDS = {"shape", "bytes", "sha256"}
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)


def cache_key(identity: Mapping[str, Any]) -> str:
    """sha256 of the canonical JSON of everything that the features depend on."""
    text = json.dumps({"schema": SCHEMA, **identity}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file so that ``path`` is either the whole new file or what it was before.

    Written to a temporary file beside it, flushed to the disk, then renamed.  Raises DiskFullError when no
    space is left; whatever stops it (Ctrl-C too), the temporary file is removed.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in FULL_DISK:
            raise DiskFullError(
                f"no space left on the disk while {path} was written: make room or choose another cache folder; "
                "the shards already written are kept and the next run goes on from them"
            ) from error
        raise


class FeatureCache:
    """One model's features on one data set, in ``folder``: shards ``*-00000.npy`` and ``manifest.json``.

    A shard counts only if the manifest lists it and its size and sha256 are what the manifest says.
    """

    def __init__(self, root: Path, key: str) -> None:
        self.folder = Path(root) / f"features-{key[:16]}"
        self.key = key
        self.manifest_path = self.folder / "manifest.json"
        self.entries: dict[str, dict[str, Any]] = {}

    def open(self, *, overwrite: bool) -> None:
        """Make the folder, and read which shards it has already (none of them with ``overwrite``)."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if error.errno in FULL_DISK:
                raise DiskFullError(
                    f"no space left on the disk for the cache folder {self.folder}"
                ) from error
            raise InputError(f"the cache folder {self.folder} cannot be made: {error}") from error
        if overwrite:
            self.manifest_path.unlink(missing_ok=True)
        elif self.manifest_path.is_file():
            self.entries = self._read_manifest()

    def _read_manifest(self) -> dict[str, dict[str, Any]]:
        """The listed shards; none where the manifest is damaged or is of another key (all is then computed anew)."""
        try:
            manifest = json.loads(self.manifest_path.read_text())
        except ValueError:
            return {}
        if not isinstance(manifest, dict) or manifest.get("key") != self.key:
            return {}
        files = manifest.get("files")
        if not isinstance(files, dict):
            return {}
        return {
            name: entry for name, entry in files.items() if isinstance(entry, dict) and entry.keys() >= FIELDS
        }

    def has(self, name: str, n_rows: int) -> bool:
        """Whether the shard is there, with that many rows, and exactly what was written."""
        entry, path = self.entries.get(name), self.folder / name
        if entry is None or entry["shape"][0] != n_rows or not path.is_file():
            return False
        if path.stat().st_size != entry["bytes"]:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == entry["sha256"]

    def width(self, name: str) -> int:
        """Columns of a shard that the manifest lists."""
        return int(self.entries[name]["shape"][1])

    def write(self, name: str, rows: np.ndarray) -> None:
        """Write one shard (float32) and record its size and hash; the manifest follows with :meth:`commit`."""
        rows = np.ascontiguousarray(rows, dtype=np.float32)
        digest = hashlib.sha256()

        def write_and_hash(file: BinaryIO) -> None:
            np.lib.format.write_array(_HashingFile(file, digest), rows, allow_pickle=False)

        write_atomically(self.folder / name, write_and_hash)
        self.entries[name] = {
            "shape": list(rows.shape),
            "bytes": (self.folder / name).stat().st_size,
            "sha256": digest.hexdigest(),
        }

    def commit(self, description: Mapping[str, Any]) -> None:
        """Write the manifest: from here on the shards written so far are found by the next run."""
        manifest = {
            "schema": SCHEMA,
            "key": self.key,
            **description,
            "files": dict(sorted(self.entries.items())),
        }
        text = json.dumps(manifest, indent=1)
        write_atomically(self.manifest_path, lambda file: file.write(text.encode()))


class _HashingFile:
    """Passes writes on to a file and into a digest."""

    def __init__(self, file: BinaryIO, digest: Any) -> None:
        self._file = file
        self._digest = digest

    def write(self, chunk: Any) -> int:
        self._digest.update(chunk)
        return self._file.write(chunk)
