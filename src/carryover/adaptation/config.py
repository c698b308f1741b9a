"""From a TOML file and flags to an :class:`AdaptSpec`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from carryover._core.config import read_tables
from carryover._core.strict import build
from carryover.adaptation.specs import AdaptSpec

PATH_KEYS = ("path", "weights", "factory")


def read_adaptation(
    config: str | Path | Mapping[str, Any] | None, *, overrides: Mapping[str, Any] | None = None
) -> AdaptSpec:
    """The spec of a config file (or of the same tables as a mapping), with flags laid over it.

    ``overrides``: dotted keys such as ``train.steps``; None leaves the config's value.  Relative paths in a file
    count from the file's folder.  Raises InputError for unknown keys and wrong types.
    """
    return build(AdaptSpec, read_tables(config, overrides=overrides, path_keys=PATH_KEYS))
