"""What one shard of feature extraction is: a network, a data set, and which of its rows.

::

    [sweep]
    command = "features"

    [base]
    shards = 8                              # row ranges of the data set; every one of them is a cell
    data = { path = "photos", split = "train" }

    [over]
    "model.path" = ["resnet", "vit"]
"""

from dataclasses import dataclass, field, replace
from typing import Any

from carryover._core.errors import InputError
from carryover.diagnosis.specs import ModelSpec
from carryover.experiments.spec import SweepSpec

SPEC_VERSION = 1
FEATURES, SUMS = "features.npz", "sums.npz"
"""What a cell leaves in its folder."""


@dataclass(frozen=True)
class ShardData:
    """The labelled images.  Exactly one of ``path`` and ``part`` is given.

    ``path``: folder, file or hub id of the whole data set.  ``part``: a file (or folder) that is one part of it: cells
    that differ in ``part`` alone belong to one data set, and no machine has to read another's part.  The other keys are
    those of [target] of a diagnosis; ``task`` is inferred from the labels of the path or part.
    """

    path: str | None = None
    part: str | None = None
    config: str | None = None
    split: str | None = None
    image: str | None = None
    label: str | None = None
    group: str | None = None
    where: dict[str, Any] = field(default_factory=dict)
    task: str | None = None

    def __post_init__(self) -> None:
        if (self.path is None) == (self.part is None):
            raise InputError("data must give exactly one of path, the whole data set, and part, a file of it")
        if self.task not in (None, "classification", "regression"):
            raise InputError(f"data.task must be 'classification' or 'regression', got {self.task!r}")


@dataclass(frozen=True)
class FeaturesSpec:
    """Shard ``shard`` of ``shards`` of the data set (or of each part of it), under one network.

    ``batch_size`` and ``device`` move the last digits of features, and are therefore said here.  Shards begin at
    multiples of ``batch_size``: each image shares its batch with the same others however many shards there are.
    ``keep_features``: without them the disk holds sums only, and what needs a second look at the rows cannot be had.
    Raises InputError for options out of range and for a model that is no network of its own.
    """

    model: ModelSpec
    data: ShardData
    shards: int = 1
    shard: int = 0
    batch_size: int = 256
    device: str = "cpu"
    keep_features: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("shards", "batch_size"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be >= 1, got {getattr(self, name)}")
        if not 0 <= self.shard < self.shards:
            raise InputError(f"shard must lie in 0..{self.shards - 1}, got {self.shard}")
        if self.model.features is not None:
            raise InputError(
                "model gives features, which are extracted already: give a network or a baseline"
            )
        if self.model.baseline == "pca":
            raise InputError(
                "baseline 'pca' is fitted to all images and has no shards: carryover diagnose fits it"
            )

    def rows(self, n: int) -> tuple[int, int]:
        """The first row of the shard and the one after its last, of ``n``.

        Raises InputError where there are fewer batches than shards.

        >>> spec = FeaturesSpec(ModelSpec(baseline="pixels"), ShardData("photos"), shards=3, shard=1, batch_size=10)
        >>> spec.rows(95)
        (30, 60)
        """
        n_batches = -(-n // self.batch_size)
        if self.shards > n_batches:
            raise InputError(
                f"shards must be at most {n_batches}, the batches of {self.batch_size} in {n:,} rows, got {self.shards}"
            )
        first, after = (
            self.batch_size * (place * n_batches // self.shards) for place in (self.shard, self.shard + 1)
        )
        return first, min(after, n)


def over_all_shards(spec: SweepSpec) -> SweepSpec:
    """The sweep over every shard of its ``shards``, unless it names shards itself.

    Raises InputError for another kind than "grid", and where the number of shards varies.
    """
    if spec.sweep.kind != "grid":
        raise InputError(f"sweep.kind must be 'grid' for command 'features', got {spec.sweep.kind!r}")
    if "shards" in spec.over:
        raise InputError("over.shards: the number of shards cannot vary; give it in [base]")
    shards = spec.base.get("shards", 1)
    if "shard" in spec.over or "shard" in spec.base or not isinstance(shards, int) or shards <= 1:
        return spec
    return replace(spec, over={**spec.over, "shard": tuple(range(shards))})
