"""The images of one run of dhzm_dense: what is pretrained on, and scenes and single digits with and without labels."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from carryover._core.errors import InputError
from carryover._core.seeding import derive_generator
from carryover.experiments.entries.dhzm.digit_scenes import Layout, Scenes, compose_scenes
from carryover.experiments.entries.dhzm.grey_images import read_grey, shares
from carryover.objectives.specs import ObjectiveSpec
from carryover.pretraining.specs import TrainSpec

Source = Literal["scenes", "singles", "clothes"]
SOURCES = ("scenes", "singles", "clothes")
_SHARES = (0.6, 0.2, 0.2)  # of the digits: pretraining, labelled, pool
_SEVERAL, _ONE = (2, 4), (1, 1)


@dataclass(frozen=True)
class DenseSizes:
    """How many images: for ``pretraining``; scenes ``labelled``, in the ``pool`` without labels, for the ``test``, and
    of these (labelled and test) those that the diagnosis of offsets sees; of one digit labelled, in the pool, tested.
    """

    pretraining: int = 4000
    labelled: int = 300
    pool: int = 300
    test: int = 300
    diagnosed: int = 100
    whole_labelled: int = 600
    whole_pool: int = 600
    whole_test: int = 1000


@dataclass(frozen=True)
class DenseCell:
    """One pretraining run and all that is measured on its encoder.

    ``digits`` and ``clothes``: data sets of 28 x 28 images.  ``source``: what is pretrained on, "scenes" of two to
    four digits, "singles" with one, or "clothes" that fill the canvas.  All but the pretraining images is the same
    for cells of a seed.
    """

    digits: str
    objective: ObjectiveSpec
    train: TrainSpec
    source: Source = "scenes"
    clothes: str | None = None
    layout: Layout = field(default_factory=Layout)
    sizes: DenseSizes = field(default_factory=DenseSizes)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise InputError(f"source must be one of {SOURCES}, got {self.source!r}")
        if self.source == "clothes" and self.clothes is None:
            raise InputError("source 'clothes' needs the data set clothes")
        if self.objective.kind == "mae" and self.objective.patch_size != self.layout.patch:
            raise InputError(
                f"patch_size must be that of the layout, {self.layout.patch}, got {self.objective.patch_size}"
            )


@dataclass(frozen=True)
class DenseData:
    """``pretraining`` images (n, h, w), and scenes of two to four digits and (``whole_``) of one.

    The digits of pretraining, of labelled scenes and of the pool are disjoint; those of the test are of the test split.
    """

    pretraining: UInt8[np.ndarray, "n h w"]
    labelled: Scenes
    pool: Scenes
    test: Scenes
    whole_labelled: Scenes
    whole_pool: Scenes
    whole_test: Scenes


def dense_data(cell: DenseCell) -> DenseData:
    """The images of a cell; InputError for data sets that cannot be read or hold no 28 x 28 images."""
    images, labels = read_grey(cell.digits, "train")
    parts = shares(len(images), _SHARES, derive_generator(cell.seed, "shares"))
    digits = dict(
        zip(("pretraining", "labelled", "pool"), ((images[p], labels[p]) for p in parts), strict=True)
    )
    digits["test"] = read_grey(cell.digits, "test")
    sizes = cell.sizes

    def scenes(part: str, n: int, counts: tuple[int, int]) -> Scenes:
        generator = derive_generator(cell.seed, "scenes", part, counts[1])
        return compose_scenes(*digits[part], n=n, counts=counts, layout=cell.layout, generator=generator)

    if cell.source == "clothes":
        clothes = read_grey(cell.clothes, "train")[0]
        order = derive_generator(cell.seed, "clothes").permutation(len(clothes))
        pretraining = clothes[order[: sizes.pretraining]]
    else:
        counts = _SEVERAL if cell.source == "scenes" else _ONE
        pretraining = scenes("pretraining", sizes.pretraining, counts).images
    return DenseData(
        pretraining=pretraining,
        labelled=scenes("labelled", sizes.labelled, _SEVERAL),
        pool=scenes("pool", sizes.pool, _SEVERAL),
        test=scenes("test", sizes.test, _SEVERAL),
        whole_labelled=scenes("labelled", sizes.whole_labelled, _ONE),
        whole_pool=scenes("pool", sizes.whole_pool, _ONE),
        whole_test=scenes("test", sizes.whole_test, _ONE),
    )
