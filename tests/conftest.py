"""Shared by all tests: shapes in signatures are checked at run time, and real data is looked for."""

import os
from pathlib import Path

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

for package in ("numerics", "measures", "bounds"):
    install_import_hook(f"carryover.{package}", "beartype.beartype")


# Shared machines are noisy: how long one example takes says nothing about the code.
settings.register_profile("carryover", deadline=None)
settings.load_profile("carryover")


def _data_root() -> Path:
    """The folder with ``data/`` and ``checkpoints/``: CARRYOVER_DATA, else ``shared`` beside the repository."""
    named = os.environ.get("CARRYOVER_DATA")
    return Path(named) if named else Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Real images and checkpoints; their absence fails under CARRYOVER_REQUIRE_DATA=1 and skips otherwise."""
    root = _data_root()
    if not (root / "data").is_dir() or not (root / "checkpoints").is_dir():
        message = f"real data not found in {root}: put data/ and checkpoints/ there or set CARRYOVER_DATA"
        if os.environ.get("CARRYOVER_REQUIRE_DATA") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return root
