"""The features of one candidate: extracted by its network, or taken from its files."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from carryover._core.errors import InputError
from carryover.data.feature_rows import FeatureRows
from carryover.data.images import ImageColumn
from carryover.data.selected_rows import SelectedRows
from carryover.diagnosis.candidates import Candidate
from carryover.diagnosis.options import RunOptions
from carryover.diagnosis.pools import Pool
from carryover.diagnosis.target import Target


@dataclass(frozen=True)
class Pools:
    """Images without labels, where they were given."""

    unlabelled: Pool | None = None
    pretraining: Pool | None = None


@dataclass(frozen=True)
class ModelFeatures:
    """What is measured of one candidate.

    ``train`` streams (it may not fit in memory); ``test`` (t, d), ``unlabelled`` and ``pretraining`` are arrays.
    ``source_probabilities`` streams the source head's outputs on the training rows, where there is a head.
    """

    train: FeatureRows
    test: np.ndarray
    source_probabilities: FeatureRows | None = None
    unlabelled: np.ndarray | None = None
    pretraining: np.ndarray | None = None


def gather_features(
    candidate: Candidate, target: Target, pools: Pools, *, options: RunOptions
) -> ModelFeatures:
    """Features of all examples; InputError where files do not have the target's rows."""
    if candidate.network is not None:
        return _extracted(candidate, target, pools, options)
    return _from_files(candidate, target)


def n_images(target: Target, pools: Pools) -> int:
    """How many images one network has to see."""
    return sum(
        len(part)
        for part in (target.train, target.test, pools.unlabelled, pools.pretraining)
        if part is not None
    )


def _extracted(candidate: Candidate, target: Target, pools: Pools, options: RunOptions) -> ModelFeatures:
    from carryover.models.features import extract_features

    total = n_images(target, pools)

    def extract(images: ImageColumn, done: int) -> FeatureRows:
        return extract_features(
            candidate.network,
            images,
            cache_dir=options.cache_dir,
            batch_size=options.batch_size,
            device=options.device,
            overwrite=options.refresh_features,
            progress=_fraction(options, candidate.name, done, total),
        )

    train = extract(target.train.images, 0)
    done = len(target.train)
    test = extract(target.test.images, done).all()
    arrays = {}
    done += len(target.test)
    for role in ("unlabelled", "pretraining"):
        pool = getattr(pools, role)
        if pool is not None:
            arrays[role] = extract(pool.images, done).all()
            done += len(pool)
    return ModelFeatures(train, test, source_probabilities=train.source_probabilities, **arrays)


def _fraction(options: RunOptions, name: str, done: int, total: int) -> Callable[[int, int], None]:
    return lambda more, _: options.progress(f"{name}: extracting features", (done + more) / total)


def _from_files(candidate: Candidate, target: Target) -> ModelFeatures:
    file, test_file = candidate.file, candidate.test_file
    if target.test_is_separate and test_file is None:
        raise InputError(
            f"model {candidate.name!r}: the target has a test split of its own, so test_features is needed beside "
            f"{file.path}"
        )
    if not target.test_is_separate and test_file is not None:
        raise InputError(
            f"model {candidate.name!r}: gives test_features, but the test examples are taken from the target's one "
            "split; leave test_features out and give the features of all rows"
        )
    _check_rows(candidate.name, file.path, len(file.features), target.n_source)
    test_rows = file.features
    if test_file is not None:
        _check_rows(candidate.name, test_file.path, len(test_file.features), target.n_test_source)
        test_rows = test_file.features
    probabilities = None
    if file.source_probabilities is not None:
        probabilities = SelectedRows(file.source_probabilities, target.train.positions)
    pretraining = candidate.pretraining_file
    return ModelFeatures(
        train=SelectedRows(file.features, target.train.positions),
        test=test_rows.take(target.test.positions),
        source_probabilities=probabilities,
        pretraining=None if pretraining is None else _at_most(pretraining.features, 5_000),
    )


def _check_rows(name: str, path: object, found: int, wanted: int) -> None:
    if found != wanted:
        raise InputError(
            f"model {name!r}: {path} has {found:,} rows and the target {wanted:,}: row i of the features must belong "
            "to example i of the target"
        )


def _at_most(rows: FeatureRows, limit: int) -> np.ndarray:
    """All rows, or ``limit`` of them evenly spaced."""
    if len(rows) <= limit:
        return rows.all()
    return rows.take(np.linspace(0, len(rows) - 1, limit).astype(np.int64))
