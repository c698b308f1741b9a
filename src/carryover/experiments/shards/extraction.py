"""Cells of feature extraction: a shard's features in the cell's folder, and the sums over its rows beside them."""

import hashlib
import shutil
from pathlib import Path

import numpy as np

from carryover._core.errors import InputError
from carryover.data.feature_rows import rows_hash
from carryover.data.feature_writer import save_features
from carryover.data.raw_labels import first_rows, read_labels
from carryover.data.sources import DataSource, open_dataset
from carryover.data.targets import infer_task
from carryover.diagnosis.candidates import open_networks
from carryover.experiments.rows import Row
from carryover.experiments.shards.spec import FEATURES, SUMS, FeaturesSpec, ShardData
from carryover.experiments.shards.sums import sums_of
from carryover.models.features import SHARD_ROWS, extract_features


def extract_shard(spec: FeaturesSpec, folder: Path) -> Row:
    """Leaves features.npz (with labels and groups) and sums.npz; what was interrupted goes on where it stopped."""
    source = _source(spec.data)
    first, after = spec.rows(len(source))
    labels = _labels(source, spec.data)[first:after]
    images = source.images(spec.data.image)
    (candidate,) = open_networks(
        (spec.model,), images=images, images_are_labelled=True, seed=spec.seed
    ).values()
    features = extract_features(
        candidate.network,
        images.take(np.arange(first, after)),
        cache_dir=folder / "extraction",
        batch_size=spec.batch_size,
        device=spec.device,
        shard_rows=spec.batch_size * max(1, SHARD_ROWS // spec.batch_size),
    )
    if spec.keep_features:
        save_features(
            folder / FEATURES,
            features,
            labels=labels,
            groups=_groups(source, spec.data, first, after),
            source_probabilities=features.source_probabilities,
            overwrite=True,
        )
    sums = sums_of(features, labels, features.source_probabilities)
    sums.save(folder / SUMS)
    row: Row = {
        "model_name": candidate.name,
        "first_row": first,
        "n": after - first,
        "n_features": features.shape[1],
        "n_classes": None if sums.class_names is None else len(sums.class_names),
        "images": " x ".join(map(str, images.shape)),
        "features_hash": rows_hash(features.blocks(), features.shape),
        "sums_hash": hashlib.sha256((folder / SUMS).read_bytes()).hexdigest(),
        "weights_hash": candidate.weights_hash,
    }
    shutil.rmtree(folder / "extraction")
    return row


def _source(data: ShardData) -> DataSource:
    return open_dataset(data.part or data.path, split=data.split, where=data.where, config=data.config)


def _labels(source: DataSource, data: ShardData) -> np.ndarray:
    """The names of classes as text (n,), or numbers (n,); the task is that of the whole column."""
    column = source.label_column(data.label)
    raw = read_labels(source.values(column), name=column, class_names=source.class_names(column))
    if raw.missing.any():
        missing = np.flatnonzero(raw.missing)
        raise InputError(
            f"{column} is missing in {len(missing):,} of {len(source):,} rows ({first_rows(missing)}): keep the others "
            "with data.where, or remove them"
        )
    if (data.task or infer_task(raw)[0]) == "classification":
        return np.array([str(raw.name_of(value)) for value in raw.values])
    if raw.kind in ("string", "named"):
        raise InputError(f"{column} holds names, not numbers: a regression target must be numeric")
    return np.asarray(raw.values, dtype=np.float64)


def _groups(source: DataSource, data: ShardData, first: int, after: int) -> np.ndarray | None:
    if data.group is None:
        return None
    return np.asarray(source.values(data.group)).astype(str)[first:after]
