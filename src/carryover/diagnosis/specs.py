"""What a diagnosis is asked to do, as frozen data: everything in here changes results, nothing else does."""

from dataclasses import dataclass, field
from typing import Any

from carryover._core.checks import check_range
from carryover._core.errors import InputError

SPEC_VERSION = 1
"""Raised whenever a default below changes, so that an old run's id never means something new."""

MODEL_KINDS = ("path", "factory", "features", "baseline", "timm")


@dataclass(frozen=True)
class ModelSpec:
    """One candidate.  Exactly one of ``path``, ``factory``, ``features``, ``baseline`` and ``timm`` is given.

    ``path``: folder of a pretraining run, or folder or hub id in transformers format.  ``factory``:
    ``file.py:function`` or ``package.module:function`` returning an ``nn.Module``, with ``weights``.  ``features``: a
    file of precomputed features, or a folder whose files' rows follow each other (``test_features`` for the test split,
    ``labels_file`` where there are no labels, ``pretraining_features`` for the pretraining sample).
    ``baseline``: pixels, pca or random_convolution.
    ``layer``: which feature is taken, ``pooled``, ``cls`` or the name of a submodule.
    """

    name: str | None = None
    path: str | None = None
    factory: str | None = None
    features: str | None = None
    baseline: str | None = None
    timm: str | None = None
    test_features: str | None = None
    labels_file: str | None = None
    test_labels_file: str | None = None
    pretraining_features: str | None = None
    weights: str | None = None
    layer: str = "pooled"
    image_size: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    arguments: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = [kind for kind in MODEL_KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise InputError(
                f"model {self.name or '(unnamed)'!r} must give exactly one of {', '.join(MODEL_KINDS)}; "
                f"it gives {', '.join(given) if given else 'none'}"
            )
        for dependent in ("test_features", "labels_file", "test_labels_file", "pretraining_features"):
            if getattr(self, dependent) is not None and self.features is None:
                raise InputError(f"model {self.name!r} gives {dependent} without features")

    @property
    def kind(self) -> str:
        return next(kind for kind in MODEL_KINDS if getattr(self, kind) is not None)


@dataclass(frozen=True)
class TargetSpec:
    """The labelled target data.  Column names are inferred where they are not given.

    ``config`` names a subset of a hub data set that has several.
    ``n_labels``: use only so many of the training labels (a stratified subset).  ``test_split``: the split to
    test on; without one that the data set has, ``test_fraction`` of the rows is set aside, stratified and seeded.
    ``group``: column that says which rows belong together (a patient, an object): groups are split and resampled
    whole.  ``where``: keep only rows with these values, such as ``{domain = "photo"}``.
    """

    path: str | None = None
    config: str | None = None
    split: str | None = None
    test_split: str | None = None
    image: str | None = None
    label: str | None = None
    group: str | None = None
    where: dict[str, Any] = field(default_factory=dict)
    task: str | None = None
    n_labels: int | None = None
    test_fraction: float = 0.25
    drop_missing: bool = False
    drop_rare: bool = False

    def __post_init__(self) -> None:
        if self.task not in (None, "classification", "regression"):
            raise InputError(f"target.task must be 'classification' or 'regression', got {self.task!r}")
        check_range("target.test_fraction", self.test_fraction, 0, 1, open_low=True, open_high=True)
        if self.n_labels is not None and self.n_labels < 2:
            raise InputError(f"target.n_labels must be at least 2, got {self.n_labels}")


@dataclass(frozen=True)
class PoolSpec:
    """Examples without labels: an unlabelled target pool, or a sample of the pretraining data.

    ``config`` names a subset of a hub data set that has several.
    """

    path: str
    config: str | None = None
    split: str | None = None
    image: str | None = None
    where: dict[str, Any] = field(default_factory=dict)
    max_examples: int = 5_000

    def __post_init__(self) -> None:
        if self.max_examples < 1:
            raise InputError(f"max_examples must be at least 1, got {self.max_examples}")


@dataclass(frozen=True)
class MeasureSpec:
    """How the measuring is done; every interval is at 95 %.

    ``n_draws``: half-subsamples per score.  ``n_partitions``: partitions of the training rows per learning curve.
    ``max_rows``: beyond so many training rows the measures that cannot merge work on a stated subsample, and at
    most so many test rows are used.  ``curve_rows``: the most training rows that the learning curve uses.
    """

    n_draws: int = 50
    n_partitions: int = 10
    max_rows: int = 50_000
    curve_rows: int = 10_000

    def __post_init__(self) -> None:
        for name, low in (("n_draws", 8), ("n_partitions", 4), ("max_rows", 100), ("curve_rows", 100)):
            if getattr(self, name) < low:
                raise InputError(f"measure.{name} must be at least {low}, got {getattr(self, name)}")


@dataclass(frozen=True)
class DiagnosisSpec:
    """The whole question: candidates, target, pools, and how to measure.

    ``allow_overlap``: names of pretrained models whose unlabelled pool may hold labelled examples of the target; every
    report then says so.  ``adaptations``: folders of finished runs of ``carryover adapt`` whose results are shown.
    """

    models: tuple[ModelSpec, ...] = ()
    target: TargetSpec = TargetSpec()
    unlabelled: PoolSpec | None = None
    pretraining_sample: PoolSpec | None = None
    measure: MeasureSpec = MeasureSpec()
    allow_overlap: tuple[str, ...] = ()
    adaptations: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.models:
            raise InputError("no model is given: add a [[models]] table to the config or --model NAME=PATH")
        names = [model.name for model in self.models if model.name is not None]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InputError(f"model names must be unique; given more than once: {', '.join(twice)}")
        needs_images = [model.name or model.kind for model in self.models if model.features is None]
        if needs_images and self.target.path is None:
            raise InputError(f"[target] path is needed to extract features for: {', '.join(needs_images)}")
