"""From a TOML file and command-line overrides to a :class:`DiagnosisSpec`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from carryover._core.config import read_tables
from carryover._core.errors import InputError
from carryover._core.strict import build
from carryover.data.feature_folders import SUFFIXES, is_feature_folder
from carryover.diagnosis.specs import DiagnosisSpec

# Keys whose values are paths when they name something that exists beside the config file; hub ids stay as they are.
PATH_KEYS = (
    "path",
    "features",
    "test_features",
    "labels_file",
    "test_labels_file",
    "pretraining_features",
    "weights",
    "factory",
    "adaptations",
)


def read_config(
    config: Path | Mapping[str, Any] | None,
    *,
    models: Sequence[str] = (),
    overrides: Mapping[str, Any] | None = None,
) -> DiagnosisSpec:
    """The spec of a config file (or of the same tables as a mapping), with flags laid over it.

    ``models``: NAME=PATH each, a folder of a pretraining run or in transformers format, a factory ``file.py:function``
    or a features file by its ending (or a folder of them).  ``overrides``: dotted keys such as ``target.n_labels``;
    None leaves the config's value.
    Relative paths in a file count from the file's folder.  Raises InputError for unknown keys and wrong types.
    """
    tables = read_tables(config, overrides=overrides, path_keys=PATH_KEYS)
    if models:
        tables["models"] = _merge_models(list(tables.get("models", [])), models)
    return build(DiagnosisSpec, tables)


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
    """Which kind of model a bare path means: features by the ending or by what a folder holds, a factory by its colon,
    else transformers.
    """
    file, colon, function = path.rpartition(":")
    if colon and function.isidentifier() and (file.endswith(".py") or "/" not in file):
        return "factory"
    if (Path(path).suffix in SUFFIXES and not Path(path).is_dir()) or is_feature_folder(
        Path(path).expanduser()
    ):
        return "features"
    return "path"
