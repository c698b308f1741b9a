"""A small image data set and a config on disk, and ``carryover adapt`` on them as a person runs it."""

from pathlib import Path

import numpy as np
from datasets import ClassLabel, Dataset, Features, Image, Value
from PIL import Image as Pillow

from carryover.cli.main import run

STRIPES_CONFIG = """
plan = "all"

[model]
factory = "carryover.models.backbones:small_cnn"
arguments = { n_classes = 3, channels = 1, width = 4 }

[target]
path = "stripes.parquet"
n_labels = 60

[train]
steps = 12
batch_size = 8

[[plans]]
name = "late layers"

[[plans.phases]]
name = "late"
trains = ["encoder.encoder.8.*", "head.*"]
keep = "best_on_validation"
"""


def write_stripes(folder: Path) -> Path:
    """Grey 8 x 8 stripes of three widths with noise, 160 with labels, and a config for them; its path."""
    generator = np.random.default_rng(0)
    labels = np.arange(160) % 3
    waves = np.sin(np.arange(8)[None, None, :] * (labels[:, None, None] + 1)) * 60 + 128
    pixels = np.clip(waves + 25 * generator.normal(size=(160, 8, 8)), 0, 255).astype(np.uint8)
    rows = {"image": [Pillow.fromarray(one) for one in pixels], "label": labels}
    names = ClassLabel(names=["wide", "middle", "narrow"])
    Dataset.from_dict(rows, features=Features({"image": Image(), "label": names})).to_parquet(
        folder / "stripes.parquet"
    )
    numbers = {"image": rows["image"], "label": labels + 0.25}
    Dataset.from_dict(numbers, features=Features({"image": Image(), "label": Value("float64")})).to_parquet(
        folder / "numbers.parquet"
    )
    path = folder / "config.toml"
    path.write_text(STRIPES_CONFIG)
    return path


def adapted(config: Path, out: Path, *flags: str) -> int:
    return run(["adapt", str(config), "--out", str(out), "--threads", "1", *flags])
