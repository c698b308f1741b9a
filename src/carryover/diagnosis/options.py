"""What may differ between two runs of the same diagnosis without changing its result (but for rounding)."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

Progress = Callable[[str, float], None]
"""Told what is being done, in words, and the fraction of it that is done."""


def default_cache() -> Path:
    """CARRYOVER_CACHE, else the user's cache folder."""
    named = os.environ.get("CARRYOVER_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "carryover"


def silent(stage: str, fraction: float) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class RunOptions:
    """``device``: where networks run.  ``announce`` is given the cost estimate before long work starts."""

    cache_dir: Path = field(default_factory=default_cache)
    device: str = "cpu"
    batch_size: int = 256
    refresh_features: bool = False
    progress: Progress = silent
    announce: Callable[[str], None] = lambda sentence: None
