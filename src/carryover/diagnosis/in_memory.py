"""The main job on arrays: features that are in memory already."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from carryover._core.checks import check_features
from carryover._core.errors import InputError, did_you_mean
from carryover.data.feature_files import FeatureFile
from carryover.data.feature_rows import MemoryRows
from carryover.diagnosis.candidates import Candidate
from carryover.diagnosis.gathering import Pools
from carryover.diagnosis.inputs import Inputs
from carryover.diagnosis.options import RunOptions
from carryover.diagnosis.pipeline import Diagnosis, diagnose_inputs
from carryover.diagnosis.specs import DiagnosisSpec, MeasureSpec, ModelSpec, TargetSpec
from carryover.diagnosis.target import target_from_features


def diagnose_features(
    features: Mapping[str, Any],
    labels: Sequence[Any] | np.ndarray,
    *,
    test_features: Mapping[str, Any] | None = None,
    test_labels: Sequence[Any] | np.ndarray | None = None,
    groups: Sequence[Any] | np.ndarray | None = None,
    test_groups: Sequence[Any] | np.ndarray | None = None,
    pretraining_features: Mapping[str, Any] | None = None,
    source_probabilities: Mapping[str, Any] | None = None,
    target: TargetSpec | None = None,
    measure: MeasureSpec | None = None,
    seed: int = 0,
    options: RunOptions | None = None,
) -> Diagnosis:
    """Diagnose candidates given as arrays: ``features`` maps each name to (n, d), row i belonging to ``labels[i]``.

    ``labels`` (n,): classes (strings, whole numbers) or numbers to regress on.  Without ``test_features`` (t, d) and
    ``test_labels`` (t,) a stratified part of the rows is set aside.  ``groups``: which rows belong together.
    ``pretraining_features`` (m, d) and ``source_probabilities`` (n, z), by name, where they are at hand.
    Raises InputError for arrays that do not fit together.

    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(80) % 2
    >>> x = y[:, None] + 0.3 * rng.normal(size=(80, 4))
    >>> diagnose_features({"good": x, "noise": rng.normal(size=(80, 4))}, y).ranking[0]["name"]
    'good'
    """
    started = time.monotonic()
    if not features:
        raise InputError("features must name at least one candidate, got none")
    if (test_features is None) != (test_labels is None):
        raise InputError("test_features and test_labels must be given together")
    for given, name in (
        (test_features, "test_features"),
        (pretraining_features, "pretraining_features"),
        (source_probabilities, "source_probabilities"),
    ):
        for key in given or {}:
            if key not in features:
                raise InputError(f"{name} names {key!r}, which features lacks; {did_you_mean(key, features)}")
    candidates = []
    for name in features:
        test = None
        if test_features is not None:
            if name not in test_features:
                raise InputError(f"test_features lacks {name!r}; {did_you_mean(name, test_features)}")
            test = _file(name, test_features[name], test_labels, test_groups, None)
        probabilities = (source_probabilities or {}).get(name)
        candidates.append(
            _candidate(
                name,
                _file(name, features[name], labels, groups, probabilities),
                test,
                (pretraining_features or {}).get(name),
            )
        )
    spec = DiagnosisSpec(
        models=tuple(ModelSpec(name=name, features=name) for name in features),
        target=target or TargetSpec(),
        measure=measure or MeasureSpec(),
        seed=seed,
    )
    first = candidates[0]
    known = target_from_features(
        first.file, first.test_file, spec=spec.target, seed=seed, max_test=spec.measure.max_rows
    )
    inputs = Inputs(known, tuple(candidates), Pools(), ())
    return diagnose_inputs(spec, inputs, options=options or RunOptions(), started=started)


def _file(name: str, array: Any, labels: Any, groups: Any, probabilities: Any) -> FeatureFile:
    rows = check_features(array, f"features of {name!r}").astype(np.float32, copy=False)
    values = np.asarray(labels)
    if len(values) != len(rows):
        raise InputError(
            f"labels must have one entry for each of the {len(rows)} rows of {name!r}, got {len(values)}"
        )
    codes = None
    if groups is not None:
        codes = np.unique(np.asarray(groups).astype(str), return_inverse=True)[1]
        if len(codes) != len(rows):
            raise InputError(f"groups must have one entry for each of the {len(rows)} rows, got {len(codes)}")
    source = None
    if probabilities is not None:
        source = MemoryRows(check_features(probabilities, f"source_probabilities of {name!r}"))
    return FeatureFile(
        Path("labels in memory"),
        MemoryRows(rows),
        ("features", "labels"),
        labels=values,
        groups=codes,
        source_probabilities=source,
    )


def _candidate(name: str, file: FeatureFile, test: FeatureFile | None, pretraining: Any) -> Candidate:
    sample = None
    if pretraining is not None:
        sample = _file(name, pretraining, np.zeros(len(pretraining), dtype=int), None, None)
    return Candidate(
        name=name,
        kind="features",
        feature=f"precomputed, {file.features.shape[1]} numbers per example, given as an array",
        preprocessing="done before the features were given; carryover cannot see it",
        weights_hash=file.features.content_hash,
        chosen_without=None,
        file=file,
        test_file=test,
        pretraining_file=sample,
    )
