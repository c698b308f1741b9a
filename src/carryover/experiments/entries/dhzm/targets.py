"""Labelled targets of the DHZM24 experiments, drawn into labels, validation, test, and a pool without labels."""

import json
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from jaxtyping import Int
from torch import Tensor

from carryover._core.checks import check_range
from carryover._core.errors import InputError
from carryover._core.seeding import derive_generator
from carryover.data.images import ImageColumn
from carryover.data.load import load_splits
from carryover.data.sources import DataSource, open_dataset
from carryover.data.splits import stratified_subset
from carryover.models.encoders import ImageSize

TEST = "test"
POOL_IMAGE = "image"
"""The column of :func:`write_pool`."""


@dataclass(frozen=True)
class Downstream:
    """A target by ``name``: whatever ``datasets`` reads, columns as there, rows by ``where``.

    ``n_labels`` to train on and ``n_validation`` to choose on are drawn from the training split, ``n_test`` from the
    test split (from the only split where there is no other), and ``n_pool`` without labels from what is left.
    """

    name: str
    path: str
    image: str | None = None
    label: str | None = None
    where: dict[str, Any] = field(default_factory=dict)
    n_labels: int = 300
    n_validation: int = 400
    n_test: int = 1000
    n_pool: int = 500

    def __post_init__(self) -> None:
        for name in ("n_labels", "n_validation", "n_test", "n_pool"):
            check_range(name, getattr(self, name), 2, float("inf"))


@dataclass(frozen=True)
class Labelled:
    """uint8 images (n, c, h, w) and their class codes (n,) int64."""

    pixels: Tensor
    codes: Int[np.ndarray, " n"]


@dataclass(frozen=True)
class Drawn:
    """What one seed gets of a target; no row is in two parts.  ``pool``: uint8 images (n, c, h, w)."""

    labels: Labelled
    validation: Labelled
    test: Labelled
    pool: Tensor
    n_classes: int


@dataclass(frozen=True)
class _Rows:
    """Rows of both splits by part, in random order; the pools of two sizes are nested."""

    train: DataSource
    test: DataSource
    labels: np.ndarray
    validation: np.ndarray
    pool: np.ndarray
    tested: np.ndarray


def draw(target: Downstream, size: ImageSize, *, seed: int) -> Drawn:
    """The parts of ``target`` that ``seed`` gets, resized to ``size``.

    The same rows whatever the pretraining, so that its variants are paired.  Raises InputError where rows are too few.
    """
    rows = _rows(target, seed)
    names, codes = _codes(rows.train, target)
    test_names, test_codes = _codes(rows.test, target)
    if not np.isin(test_names, names).all():
        raise InputError(f"{target.name}: its test split has classes that its training split lacks")
    test_codes = np.searchsorted(names, test_names)[test_codes]

    def part(source: DataSource, of: np.ndarray, at: np.ndarray) -> Labelled:
        return Labelled(_pixels(source, target, at, size), of[at])

    return Drawn(
        part(rows.train, codes, rows.labels),
        part(rows.train, codes, rows.validation),
        part(rows.test, test_codes, rows.tested),
        _pixels(rows.train, target, rows.pool, size),
        len(names),
    )


def write_pool(target: Downstream, folder: Path, *, seed: int) -> Path:
    """The pool of :func:`draw` as a data set of its own in ``folder``: images only, in place of an earlier one."""
    rows = _rows(target, seed)
    column = rows.train.image_column(target.image)
    images = rows.train.dataset.select_columns([column]).with_format("arrow")
    path = folder / "pool.parquet"
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(images[rows.train.rows[rows.pool].tolist()].rename_columns([POOL_IMAGE]), path)
    return path


def forget(path: Path) -> None:
    """Remove a data set written for one cell, and the copy that ``datasets`` keeps in its cache."""
    kept = [Path(one["filename"]) for split in load_splits(path).values() for one in split.cache_files]
    for file in (path, *kept):
        file.unlink(missing_ok=True)


def _rows(target: Downstream, seed: int) -> _Rows:
    train = _source(target, None)
    separate = TEST in train.splits
    test = _source(target, TEST) if separate else train
    generator = derive_generator(seed, "downstream", target.name)
    labels = stratified_subset(_codes(train, target)[1], target.n_labels, generator=generator)
    rest = generator.permutation(np.setdiff1d(np.arange(len(train)), labels))
    tested = generator.permutation(len(test)) if separate else rest
    wanted = {"validation": target.n_validation, "pool": target.n_pool}
    if not separate:
        wanted = {TEST: target.n_test} | wanted
    _check_enough(target, len(rest), wanted)
    if separate:
        _check_enough(target, len(test), {TEST: target.n_test})
    first = 0 if separate else target.n_test
    ends = np.cumsum([first, target.n_validation, target.n_pool])
    return _Rows(
        train, test, labels, rest[ends[0] : ends[1]], rest[ends[1] : ends[2]], tested[: target.n_test]
    )


def _check_enough(target: Downstream, n: int, wanted: dict[str, int]) -> None:
    if sum(wanted.values()) > n:
        said = " and ".join(f"n_{name} = {count}" for name, count in wanted.items())
        raise InputError(f"{target.name}: {said} need {sum(wanted.values())} rows, and {n} are left")


def _source(target: Downstream, split: str | None) -> DataSource:
    return _opened(target.path, split, json.dumps(target.where, sort_keys=True))


@lru_cache(maxsize=8)
def _opened(path: str, split: str | None, where: str) -> DataSource:
    """Kept for the next cell of this process, as decoded images are: cells of a sweep share their targets."""
    return open_dataset(path, split=split, where=json.loads(where))


@lru_cache(maxsize=8)
def _column(
    path: str, split: str, where: str, *, image: str | None, height: int, width: int, channels: int
) -> ImageColumn:
    return _opened(path, split, where).images(image, size=(height, width), channels=channels)


def _codes(source: DataSource, target: Downstream) -> tuple[np.ndarray, np.ndarray]:
    """The labels that occur, sorted, and the place of each row's among them."""
    return np.unique(np.asarray(source.values(source.label_column(target.label))), return_inverse=True)


def _pixels(source: DataSource, target: Downstream, rows: np.ndarray, size: ImageSize) -> Tensor:
    where = json.dumps(target.where, sort_keys=True)
    column = _column(target.path, source.split, where, image=target.image, **asdict(size))
    taken = column.take(rows)
    return torch.from_numpy(taken.read(0, len(taken))).permute(0, 3, 1, 2).contiguous()
