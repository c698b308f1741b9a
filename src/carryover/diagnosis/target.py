"""The labelled target, ready to measure: who trains, who tests, with which labels and groups."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from carryover._core.errors import InputError
from carryover._core.seeding import derive_generator
from carryover.data.feature_files import FeatureFile
from carryover.data.images import ImageColumn
from carryover.data.sources import DataSource, open_dataset
from carryover.data.splits import make_split, stratified_subset
from carryover.data.targets import Targets, encode_like, encode_targets
from carryover.diagnosis.specs import TargetSpec

TEST_SPLITS = ("test", "validation", "valid", "val")


@dataclass(frozen=True)
class Part:
    """One side of the split: positions (m,) in the source it came from, targets (m,), groups (m,) or None."""

    positions: np.ndarray
    targets: np.ndarray
    groups: np.ndarray | None
    images: ImageColumn | None = None

    def __len__(self) -> int:
        return len(self.positions)

    def take(self, rows: np.ndarray) -> "Part":
        return Part(
            self.positions[rows],
            self.targets[rows],
            None if self.groups is None else self.groups[rows],
            None if self.images is None else self.images.take(rows),
        )


@dataclass(frozen=True)
class Target:
    """What is to be predicted, and from what.

    ``test_is_separate``: the positions of ``test`` count in a source of its own (a test split, a test file);
    otherwise both parts are rows of one source, of ``n_source`` rows.  ``columns`` holds label, image and group.
    ``drawn_by_class``: whether class counts were fixed, by a stratified test part or a stratified choice of rows.
    """

    name: str
    task: str
    class_names: tuple[str, ...]
    train: Part
    test: Part
    test_is_separate: bool
    n_source: int
    n_test_source: int
    split: str
    columns: Mapping[str, str | None]
    notes: tuple[str, ...] = ()
    drawn_by_class: bool = False

    @property
    def n_classes(self) -> int | None:
        return len(self.class_names) or None


@dataclass(frozen=True)
class RawTarget:
    """Labels and groups of one source as they were read, before they are encoded."""

    values: Any
    class_names: tuple[str, ...] | None
    groups: np.ndarray | None
    images: ImageColumn | None = None

    def __len__(self) -> int:
        return len(self.values)


def load_target(spec: TargetSpec, *, seed: int, max_test: int) -> Target:
    """The target of a data set that ``datasets`` reads; InputError for columns, splits and labels that do not do."""
    source = open_dataset(spec.path, split=spec.split, where=spec.where, config=spec.config)
    test_name = spec.test_split or next((one for one in TEST_SPLITS if one in source.splits), None)
    if test_name == source.split:
        test_name = None
    label, image = source.label_column(spec.label), source.image_column(spec.image)
    columns = {"label": label, "image": image, "group": spec.group}
    train = _read_raw(source, columns)
    test = None
    if test_name is not None:
        held_out = open_dataset(spec.path, split=test_name, where=spec.where, config=spec.config)
        test = _read_raw(held_out, columns)
        _check_same_shape(train.images, test.images)
    return split_target(
        train, test, spec=spec, seed=seed, max_test=max_test, name=source.name, columns=columns
    )


def target_from_features(
    file: FeatureFile, test_file: FeatureFile | None, *, spec: TargetSpec, seed: int, max_test: int
) -> Target:
    """The target that a features file carries in its own labels and groups."""
    train = RawTarget(file.require_labels(), file.class_names, file.groups)
    test = None
    if test_file is not None:
        test = RawTarget(test_file.require_labels(), test_file.class_names, test_file.groups)
    columns = {"label": "labels", "image": None, "group": "groups" if file.groups is not None else None}
    return split_target(
        train, test, spec=spec, seed=seed, max_test=max_test, name=file.path.name, columns=columns
    )


def split_target(
    train: RawTarget,
    test: RawTarget | None,
    *,
    spec: TargetSpec,
    seed: int,
    max_test: int,
    name: str,
    columns: Mapping[str, str | None],
) -> Target:
    """Encode the labels, split where there is no test source, and keep ``spec.n_labels`` of the training labels."""
    known = encode_targets(
        train.values,
        task=spec.task,
        class_names=train.class_names,
        drop_missing=spec.drop_missing,
        drop_rare=spec.drop_rare,
        min_per_class=2 if test is None else 1,
        name=str(columns["label"]),
    )
    whole = _part(train, known)
    if test is None:
        split = make_split(
            known.values,
            generator=derive_generator(seed, "split"),
            test_fraction=spec.test_fraction,
            groups=whole.groups,
        )
        train_part, test_part, sentence = whole.take(split.train), whole.take(split.test), split.sentence
    else:
        other = encode_like(
            test.values,
            known,
            class_names=test.class_names,
            drop_missing=spec.drop_missing,
            name=f"{columns['label']} of the test split",
        )
        train_part, test_part, sentence = whole, _part(test, other), "the data set's own test split"
    notes, whole_test = list(known.notes), len(test_part)
    if len(test_part) > max_test:
        rows = stratified_subset(test_part.targets, max_test, generator=derive_generator(seed, "test subset"))
        notes.append(f"{max_test:,} of {len(test_part):,} test examples are used (stratified, seeded).")
        test_part = test_part.take(rows)
    if spec.n_labels is not None:
        rows = stratified_subset(
            train_part.targets,
            spec.n_labels,
            generator=derive_generator(seed, "labels"),
            groups=train_part.groups,
        )
        sentence += f"; {spec.n_labels:,} of {len(train_part):,} training labels used"
        train_part = train_part.take(rows)
    _check_enough(train_part, test_part)
    return Target(
        name=name,
        task=known.task,
        class_names=known.class_names,
        train=train_part,
        test=test_part,
        test_is_separate=test is not None,
        n_source=len(train),
        n_test_source=len(test if test is not None else train),
        split=sentence,
        columns=columns,
        notes=tuple(notes),
        drawn_by_class=test is None or spec.n_labels is not None or len(test_part) < whole_test,
    )


def _read_raw(source: DataSource, columns: Mapping[str, str | None]) -> RawTarget:
    groups = None
    if columns["group"] is not None:
        groups = np.unique(np.asarray(source.values(columns["group"])).astype(str), return_inverse=True)[1]
    return RawTarget(
        source.values(columns["label"]),
        source.class_names(columns["label"]),
        groups,
        source.images(columns["image"]),
    )


def _part(raw: RawTarget, targets: Targets) -> Part:
    rows = targets.rows
    return Part(
        rows,
        targets.values,
        None if raw.groups is None else np.unique(raw.groups[rows], return_inverse=True)[1],
        None if raw.images is None else raw.images.take(rows),
    )


def _check_same_shape(train: ImageColumn | None, test: ImageColumn | None) -> None:
    if train is not None and test is not None and train.shape != test.shape:
        raise InputError(
            f"training images are read as {train.shape} (height, width, channels) and test images as {test.shape}: "
            "make the splits alike, or keep one split and let the test part be taken from it"
        )


def _check_enough(train: Part, test: Part) -> None:
    for part, name, least in ((train, "training", 8), (test, "test", 4)):
        if len(part) < least:
            raise InputError(
                f"{len(part)} {name} examples are too few to measure anything: at least {least} are needed"
            )
