"""Which cell is which: a hash of what changes its result, with defaults left out and contents in place of paths."""

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from carryover._core.config import spec_as_table
from carryover.data.hashing import path_hash

PACKAGES = ("carryover", "numpy", "scipy", "scikit-learn", "torch", "transformers", "joblib")
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


class Contents:
    """Names of what paths lead to; each path is read once."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def of(self, value: str) -> str:
        """``value`` with what it leads to in place of the path; hub ids and names of modules stay as they are.

        A folder of a finished run stands for the model in it, so that logs and timings do not enter.
        """
        if value not in self._known:
            file, colon, rest = value.partition(":")
            root = Path(file).expanduser()
            if (root / "run.json").is_file() and (root / "model").is_dir():
                root = root / "model"
            self._known[value] = f"sha256:{path_hash(root)}{colon}{rest}" if root.exists() else value
        return self._known[value]


def cell_id(
    command: str, spec: Any, *, version: int, path_keys: Sequence[str] = (), contents: Contents | None = None
) -> str:
    """sha256 (hexadecimal) of the canonical JSON of the command, its spec's version and what the spec says.

    Defaults are left out, so that a new field with a default leaves every id as it is; a folder that moved, too.
    """
    table = spec_as_table(spec)
    if path_keys:
        table = _named(table, path_keys, contents or Contents())
    whole = {"command": command, "spec": table, "spec_version": version}
    return hashlib.sha256(_CANONICAL.encode(whole).encode()).hexdigest()


def _named(table: Any, keys: Sequence[str], contents: Contents) -> Any:
    if isinstance(table, Mapping):
        return {
            key: _contents(value, keys, contents) if key in keys else _named(value, keys, contents)
            for key, value in table.items()
        }
    if isinstance(table, list):
        return [_named(item, keys, contents) for item in table]
    return table


def _contents(value: Any, keys: Sequence[str], contents: Contents) -> Any:
    if isinstance(value, str):
        return contents.of(value)
    if isinstance(value, list):
        return [_contents(item, keys, contents) for item in value]
    return _named(value, keys, contents)


@cache
def environment() -> dict[str, str]:
    """Python, the machine and the versions of the packages that numbers depend on."""
    found = {"python": platform.python_version(), "machine": platform.platform(), "host": platform.node()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
