"""From a TOML recipe and command-line overrides to a :class:`PretrainSpec`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from carryover._core.config import read_tables
from carryover._core.strict import build
from carryover.pretraining.folder import PATH_KEYS
from carryover.pretraining.specs import PretrainSpec


def read_recipe(
    config: str | Path | Mapping[str, Any], *, overrides: Mapping[str, Any] | None = None
) -> PretrainSpec:
    """The spec of a recipe (or of the same tables as a mapping), with flags laid over it.

    ``overrides``: dotted keys such as ``regularizer.strength``; None leaves the recipe's value.  Relative paths in a
    file count from the file's folder.  Raises InputError for unknown keys and wrong types.
    """
    return build(PretrainSpec, read_tables(config, overrides=overrides, path_keys=PATH_KEYS))
