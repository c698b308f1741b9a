"""Data sets of small striped images, and targets of the DHZM24 experiments that take a few of them."""

from pathlib import Path
from typing import Any

from tiny_runs import striped_images, write_images

from carryover.experiments.entries.dhzm.targets import Downstream
from carryover.models.encoders import ImageSize

SIZE = ImageSize(8, 8, 1)
FEW = {"n_labels": 20, "n_validation": 15, "n_test": 25, "n_pool": 30}


def write_striped(root: Path) -> Path:
    """In ``root`` two/ (train and test), one.parquet (a single split) and source.parquet (for pretraining)."""
    (root / "two").mkdir()
    for name, n, seed in (("two/train", 120, 0), ("two/test", 60, 1), ("one", 120, 2), ("source", 80, 3)):
        write_images(root / f"{name}.parquet", *striped_images(n, seed))
    return root


def striped_target(folder: Path, name: str = "two", **changes: Any) -> Downstream:
    path = folder / "two" if name == "two" else folder / f"{name}.parquet"
    return Downstream(name, str(path), **{**FEW, **changes})
