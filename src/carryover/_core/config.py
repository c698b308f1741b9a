"""From a TOML file and flags to the tables a spec is built from, and back from a spec to plain data."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
        tables = _anchor(read_toml(Path(config)), Path(config).resolve().parent, path_keys)
    for key, value in (overrides or {}).items():
        if value is not None:
            tables = _override(tables, key.split("."), value)
    return tables


def spec_as_table(spec: Any) -> Any:
    """The spec as plain nested data with every default left out: what its id is the hash of."""
    if dataclasses.is_dataclass(spec):
        table = {}
        for field in dataclasses.fields(spec):
            value = getattr(spec, field.name)
            default = (
                field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
            )
            if value != default:
                table[field.name] = spec_as_table(value)
        return table
    if isinstance(spec, tuple | list):
        return [spec_as_table(item) for item in spec]
    if isinstance(spec, dict):
        return {key: spec_as_table(value) for key, value in spec.items()}
    return spec


def without_keys(table: Any, keys: Sequence[str]) -> Any:
    """Plain nested data without these keys at any depth: a spec whose paths do not enter its id."""
    if isinstance(table, dict):
        return {key: without_keys(value, keys) for key, value in table.items() if key not in keys}
    if isinstance(table, list):
        return [without_keys(item, keys) for item in table]
    return table


def _anchor(tables: Any, folder: Path, path_keys: Sequence[str]) -> Any:
    """Relative paths that exist below ``folder`` made absolute; everything else untouched."""
    if isinstance(tables, dict):
        return {
            key: _anchor_paths(value, folder, path_keys)
            if key in path_keys
            else _anchor(value, folder, path_keys)
            for key, value in tables.items()
        }
    if isinstance(tables, list):
        return [_anchor(item, folder, path_keys) for item in tables]
    return tables


def _anchor_paths(value: Any, folder: Path, path_keys: Sequence[str]) -> Any:
    """The value of a path key: one path or a list of paths; anything else is looked through."""
    if isinstance(value, str):
        return _anchor_path(value, folder)
    if isinstance(value, list):
        return [_anchor_paths(item, folder, path_keys) for item in value]
    return _anchor(value, folder, path_keys)


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


def _override(tables: dict[str, Any], keys: Sequence[str], value: Any) -> dict[str, Any]:
    head, *rest = keys
    if not rest:
        return {**tables, head: value}
    return {**tables, head: _override(dict(tables.get(head) or {}), rest, value)}
