"""From a TOML file and flags to the tables a spec is built from, and back from a spec to plain data."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from carryover._core.errors import InputError
from carryover._core.strict import read_toml


def read_tables(
    config: str | Path | Mapping[str, Any] | None,
    *,
    overrides: Mapping[str, Any] | None = None,
    path_keys: Sequence[str],
) -> dict[str, Any]:
    """The tables of a config file (or of the same tables as a mapping), with flags laid over them.

    ``overrides``: dotted keys such as ``target.n_labels``; None leaves the config's value.  Relative paths in a file,
    the values of ``path_keys``, count from the file's folder; hub ids stay as they are.
    """
    if config is None:
        tables: dict[str, Any] = {}
    elif isinstance(config, Mapping):
        tables = dict(config)
    else:
        tables = anchored(read_toml(Path(config)), Path(config).resolve().parent, path_keys)
    for key, value in (overrides or {}).items():
        if value is not None:
            tables = _override(tables, key.split("."), value)
    return tables


def spec_as_table(spec: Any) -> Any:
    """The spec as plain nested data with every default left out: what its id is the hash of."""
    if isinstance(spec, bool | int | float | str):
        return spec
    if dataclasses.is_dataclass(spec):
        return {
            name: spec_as_table(value)
            for name, default in _defaults(type(spec)).items()
            if (value := getattr(spec, name)) is not default and value != default
        }
    if isinstance(spec, tuple | list):
        return [spec_as_table(item) for item in spec]
    if isinstance(spec, dict):
        return {key: spec_as_table(value) for key, value in spec.items()}
    return spec


@functools.cache
def _defaults(cls: type) -> dict[str, Any]:
    """The default of every field of a dataclass, made once; ``dataclasses.MISSING`` where there is none."""
    return {
        field.name: field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        for field in dataclasses.fields(cls)
    }


def without_keys(table: Any, keys: Sequence[str]) -> Any:
    """Plain nested data without these keys at any depth: a spec whose paths do not enter its id."""
    if isinstance(table, dict):
        return {key: without_keys(value, keys) for key, value in table.items() if key not in keys}
    if isinstance(table, list):
        return [without_keys(item, keys) for item in table]
    return table


def anchored(tables: Any, folder: Path, path_keys: Sequence[str]) -> Any:
    """Relative paths that exist below ``folder`` made absolute; everything else untouched."""
    if isinstance(tables, dict):
        return {
            key: _anchor_paths(value, folder, path_keys)
            if key in path_keys
            else anchored(value, folder, path_keys)
            for key, value in tables.items()
        }
    if isinstance(tables, list):
        return [anchored(item, folder, path_keys) for item in tables]
    return tables


def _anchor_paths(value: Any, folder: Path, path_keys: Sequence[str]) -> Any:
    """The value of a path key: one path or a list of paths; anything else is looked through."""
    if isinstance(value, str):
        return _anchor_path(value, folder)
    if isinstance(value, list):
        return [_anchor_paths(item, folder, path_keys) for item in value]
    return anchored(value, folder, path_keys)


def _anchor_path(value: str, folder: Path) -> str:
    file, colon, function = value.partition(":")
    if Path(file).is_absolute():
        return value
    here = folder / file
    # A path that was meant relative to the config but does not exist must not be looked for elsewhere.
    looks_like_path = file.startswith((".", "~")) or (Path(file).suffix != "" and "/" in file)
    if here.exists() or looks_like_path:
        return f"{Path(file).expanduser() if file.startswith('~') else here}{colon}{function}"
    return value


def _override(tables: Any, keys: Sequence[str], value: Any) -> dict[str, Any]:
    head, *rest = keys
    if not isinstance(tables, dict):
        raise InputError(f"key {'.'.join(keys)} leads through {tables!r}, which is no table")
    if not rest:
        return {**tables, head: value}
    return {**tables, head: _override(tables.get(head) or {}, rest, value)}
