"""The second look at a shard's rows: errors that need the sums over all of them, and add up over shards, too."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from carryover._core.errors import InputError, NotComputedError
from carryover.data.feature_files import FeatureFile, open_features
from carryover.experiments.rows import Row
from carryover.experiments.shards.sums import ShardSums
from carryover.measures.ridge_loo import LooSums
from carryover.measures.ridge_setup import failure_reason
from carryover.measures.spectrum import spectrum_from_moments

SPEC_VERSION = 1
LOG_LIKELIHOOD = "log_likelihood"


@dataclass(frozen=True)
class ErrorsSpec:
    """The files of the sums over all rows, and of the features of the shard's rows."""

    sums: str
    features: str


def shard_errors(spec: ErrorsSpec, _: Path | None = None) -> Row:
    """Squared leave-one-out errors and correct predictions at each penalty, and the log likelihood that LEEP sums."""
    sums = ShardSums.load(Path(spec.sums))
    spectrum = spectrum_from_moments(sums.moments)
    if reason := failure_reason(spectrum):
        raise NotComputedError(reason)
    file = open_features(spec.features, check=False)
    values = _values(file, sums.class_names)
    blocks = ((block, values[start : start + len(block)]) for start, block in file.features.blocks())
    row = _columns(LooSums.from_blocks(spectrum, blocks))
    if sums.source is not None and file.source_probabilities is not None:
        row[LOG_LIKELIHOOD] = sum(
            float(sums.source.probabilities.log_likelihoods(block, values[start : start + len(block)]).sum())
            for start, block in file.source_probabilities.blocks()
        )
    return row


def loo_sums(row: Row) -> LooSums:
    """What a row of :func:`shard_errors` holds."""
    squared, correct = (
        [row[name] for name in sorted(row) if name.startswith(prefix)]
        for prefix in ("squared_error_", "n_correct_")
    )
    return LooSums(
        row["n"], np.array(squared), np.array(correct) if None not in correct and correct else None
    )


def _columns(sums: LooSums) -> Row:
    row: Row = {"n": sums.n_rows}
    for name in ("squared_error", "n_correct"):
        values = getattr(sums, name)
        if values is not None:
            row |= {f"{name}_{place:02d}": value for place, value in enumerate(values.tolist())}
    return row


def _values(file: FeatureFile, class_names: tuple[str, ...] | None) -> Any:
    """Class codes (n,) in the order of the sums, or numbers (n, 1)."""
    labels = file.require_labels()
    if class_names is None:
        return labels[:, None]
    place = {name: code for code, name in enumerate(class_names)}
    unknown = sorted(set(labels.tolist()) - place.keys())
    if unknown:
        raise InputError(f"{file.path} has classes that the sums lack: {', '.join(unknown)}. It was changed")
    return np.array([place[name] for name in labels.tolist()], dtype=np.int64)
