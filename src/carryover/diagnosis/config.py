"""From a TOML file and command-line overrides to a :class:`DiagnosisSpec`."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from carryover._core.errors import InputError
from carryover._core.strict import build, read_toml
from carryover.diagnosis.specs import DiagnosisSpec

# Keys whose values are paths when they name something that exists beside the config file; hub ids stay as they are.
_PATH_KEYS = (
    "path",
    "features",
    "test_features",
    "labels_file",
    "pretraining_features",
    "weights",
    "factory",
)


def read_config(
    config: Path | Mapping[str, Any] | None,
    *,
    models: Sequence[str] = (),
    overrides: Mapping[str, Any] | None = None,
) -> DiagnosisSpec:
    """The spec of a config file (or of the same tables as a mapping), with flags laid over it.

    ``models``: NAME=PATH each, a transformers folder, a factory ``file.py:function`` or a features file by its
    ending.  ``overrides``: dotted keys such as ``target.n_labels``; None leaves the config's value.
    Relative paths in a file count from the file's folder.  Raises InputError for unknown keys and wrong types.
    """
    if config is None:
        tables: dict[str, Any] = {}
    elif isinstance(config, Mapping):
        tables = {key: value for key, value in config.items()}
    else:
        tables = _anchor(read_toml(Path(config)), Path(config).resolve().parent)
    for key, value in (overrides or {}).items():
        if value is not None:
            tables = _override(tables, key.split("."), value)
    if models:
        tables["models"] = _merge_models(list(tables.get("models", [])), models)
    return build(DiagnosisSpec, tables)


def _anchor(tables: Any, folder: Path) -> Any:
    """Relative paths that exist below ``folder`` made absolute; everything else untouched."""
    if isinstance(tables, dict):
        return {
            key: _anchor_path(value, folder)
            if key in _PATH_KEYS and isinstance(value, str)
            else _anchor(value, folder)
            for key, value in tables.items()
        }
    if isinstance(tables, list):
        return [_anchor(item, folder) for item in tables]
    return tables


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


def _merge_models(configured: list[Any], flags: Sequence[str]) -> list[Any]:
    """Flags add models, or point a configured name at another file."""
    given = {}
    for flag in flags:
        name, equals, path = flag.partition("=")
        if not (name and equals and path):
            raise InputError(f"--model must be NAME=PATH, got {flag!r}")
        given[name] = {"name": name, model_kind_of(path): path}
    kept = [table for table in configured if table.get("name") not in given]
    return kept + list(given.values())


def model_kind_of(path: str) -> str:
    """Which kind of model a bare path means: features by the ending, a factory by its colon, else transformers."""
    file, colon, function = path.rpartition(":")
    if colon and function.isidentifier() and (file.endswith(".py") or "/" not in file):
        return "factory"
    if Path(path).suffix in (".npz", ".npy", ".parquet", ".safetensors") and not Path(path).is_dir():
        return "features"
    return "path"


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
