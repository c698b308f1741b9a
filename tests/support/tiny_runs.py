"""Small grey images in Parquet files, and pretraining runs on them that take a fraction of a second."""

from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, Features, Image, Value
from PIL import Image as Pillow

from carryover._core.strict import build
from carryover.pretraining.run import pretrain
from carryover.pretraining.specs import PretrainSpec

MAE = {"kind": "mae", "width": 12, "depth": 1, "heads": 2, "decoder_width": 8, "decoder_depth": 1,
       "decoder_heads": 2}  # fmt: skip
TRAIN = {"steps": 20, "batch_size": 32, "learning_rate": 3e-3, "downstream_batch": 16}


def striped_images(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """uint8 (n, 8, 8) in three classes that differ in the direction of their stripes, and the classes (n,)."""
    generator = np.random.default_rng(seed)
    classes = generator.integers(0, 3, n)
    rows, columns = np.meshgrid(np.arange(8), np.arange(8), indexing="ij")
    stripes = np.stack([np.sin(1.5 * (a * rows + b * columns)) for a, b in ((1, 0), (0, 1), (1, 1))])
    pixels = 120 + 60 * stripes[classes] + generator.normal(scale=25, size=(n, 8, 8))
    return np.clip(pixels, 0, 255).astype(np.uint8), classes


def write_images(path: Path, pixels: np.ndarray, classes: np.ndarray | None = None) -> str:
    """The images as a Parquet file, with a column ``label`` where classes are given; its path."""
    columns, kinds = {"image": [Pillow.fromarray(one) for one in pixels]}, {"image": Image()}
    if classes is not None:
        columns["label"], kinds["label"] = classes.tolist(), Value("int64")
    Dataset.from_dict(columns, features=Features(kinds)).to_parquet(path)
    return str(path)


def tiny_run(folder: Path, source: str, *, pool: str | None = None, **changes: Any) -> Path:
    """A finished run in ``folder``; ``pool`` adds RadReg on its images."""
    table = {"data": {"path": source}, "objective": MAE, "train": TRAIN, "held_out": 0.3, **changes}
    if pool is not None:
        table |= {"downstream": {"path": pool}, "regularizer": {"kind": "radreg", "strength": 1.0}}
    assert pretrain(build(PretrainSpec, table), folder).done
    return folder
