"""All bounds of the network that a run of ``carryover adapt`` left: its test labels, its head, its frozen features."""

import datetime
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from carryover._core.errors import InputError
from carryover._core.results import Bound, Estimate
from carryover._core.strict import build
from carryover.adaptation.inputs import MOST_TEST, labels_hash, set_aside
from carryover.adaptation.plans import Phase
from carryover.adaptation.run import SCHEMA as ADAPTATION
from carryover.adaptation.saving import PREDICTIONS, load_predictor
from carryover.adaptation.specs import AdaptSpec
from carryover.bounding.case import Case, Known, classifier_case
from carryover.bounding.entry import Entry, Row, entry_record, missing, with_assumptions
from carryover.bounding.labelled import gibbs_truth, holdout_entry, said_of, split_prior_bounds
from carryover.bounding.options import BoundsOptions
from carryover.bounding.report import REGRESSION, part_sample, summary_record
from carryover.bounds.pac_bayes_head import pac_bayes_head_bound
from carryover.bounds.reference_head import ReferenceHead
from carryover.diagnosis.candidates import Candidate, open_networks
from carryover.diagnosis.gathering import Pools, gather_features
from carryover.diagnosis.identity import threads_in_use
from carryover.diagnosis.leaks import guard
from carryover.diagnosis.target import Target, load_target

SCHEMA = "carryover.bounds/1"


def bounds_of_run(folder: str | Path, options: BoundsOptions | None = None) -> dict[str, Any]:
    """All bounds of a run's adapted network as a record of their own (docs/report_schema.md, ``carryover.bounds/1``).

    Bounds that need features independent of the labels use the pretrained network's, as it was before adaptation: the
    disagreement certificate carries one of them over to the adapted network.  Raises InputError where the folder holds
    no finished run, its inputs cannot be opened or have changed, and for regression.
    """
    options, folder = options or BoundsOptions(), Path(folder).expanduser()
    started = time.monotonic()
    run, result = (_read(folder / name) for name in ("run.json", "result.json"))
    spec = build(AdaptSpec, run["spec"])
    target = load_target(spec.target, seed=spec.seed, max_test=MOST_TEST)
    if target.task == "regression":
        raise InputError(REGRESSION)
    opened = open_networks([spec.model], images=None, images_are_labelled=True, seed=spec.seed)
    (candidate,), warnings = guard([opened[0]], target, [opened[0].name])
    _check_unchanged(run, target, candidate, spec)
    case = _case(folder, spec, target, candidate, options)
    entries = _entries(folder, spec, result["winner"], case)
    seconds = time.monotonic() - started
    return {
        **_header(run, spec, seconds=seconds),
        "target": {
            "name": target.name,
            "n_train": len(target.train),
            "n_test": len(case.test),
            "classes": list(target.class_names),
        },
        "model": result["model"],
        "plan": result["winner"],
        "all_bounds_of": summary_record(case, seconds=seconds),
        "all_bounds": [entry_record(entry) for entry in entries],
        "warnings": [*warnings, *case.notes],
    }


def _header(run: dict[str, Any], spec: AdaptSpec, *, seconds: float) -> dict[str, Any]:
    from carryover import __version__

    return {
        "schema": SCHEMA,
        "carryover_version": __version__,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "run": {
            "id": run["id"],
            "seed": spec.seed,
            "threads": threads_in_use(),
            "seconds": round(seconds, 3),
        },
    }


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"{path.parent} holds no finished run of carryover adapt: it has no {path.name}")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is damaged: {error}") from error
    schema = record.get("schema") if isinstance(record, dict) else None
    if schema != ADAPTATION:
        raise InputError(f"{path} has the schema {schema!r}, and only {ADAPTATION!r} is read here")
    return record


def _check_unchanged(run: dict[str, Any], target: Target, candidate: Candidate, spec: AdaptSpec) -> None:
    """Images of every part, labels and weights are those of the run; labels where the run recorded them."""
    fit, validation = set_aside(target.train, spec)
    now = {
        "train": fit.images.content_hash,
        "validation": validation.images.content_hash,
        "test": target.test.images.content_hash,
        "weights": candidate.weights_hash,
    }
    changed = [key for key, value in now.items() if run["hashes"].get(key) != value]
    if run.get("labels") not in (None, labels_hash(target)):
        changed.append("labels")
    if changed:
        raise InputError(
            f"{' and '.join(sorted(changed))} changed since the run: its predictions are not of what is there now"
        )


def _case(
    folder: Path, spec: AdaptSpec, target: Target, candidate: Candidate, options: BoundsOptions
) -> Case:
    """The adapted network's predictions beside the features of the network before adaptation."""
    features = gather_features(candidate, target, Pools(), options=options.run)
    predicted = _predictions(folder, target)
    by_content = dict(zip(target.test.images.example_hashes, predicted.tolist(), strict=True))
    case = classifier_case(
        part_sample(features.train.all(), target.train),
        part_sample(features.test, target.test),
        n_classes=target.n_classes,
        predict=lambda rows: np.zeros(len(rows), dtype=np.int64),  # what the run predicted comes below
        known=Known(
            candidate.chosen_without,
            candidate.chosen_without_test,
            by_class=target.drawn_by_class,
        ),
        confidence=options.confidence,
        seed=spec.seed,
    )
    kept = np.array([by_content[name] for name in case.test.hashes])
    return replace(case, predicted_test=kept, predicted_pool=kept)


def _predictions(folder: Path, target: Target) -> np.ndarray:
    """The classes that the adapted network names for the test examples."""
    path = folder / PREDICTIONS
    if not path.is_file():
        raise InputError(f"{folder} has no {PREDICTIONS}: the run has not ended")
    table = pd.read_parquet(path)
    labels = [target.class_names[code] for code in target.test.targets]
    if table["hash"].tolist() != list(target.test.images.example_hashes) or table["label"].tolist() != labels:
        raise InputError(f"{path} is not of these test examples and labels, in their order")
    return np.stack(table["logits"].to_list()).argmax(axis=1)


def _entries(folder: Path, spec: AdaptSpec, winner: str, case: Case) -> list[Entry]:
    return [
        holdout_entry(case),
        _head(folder, spec, winner, case),
        *split_prior_bounds(case, names=("disagreement",)),
    ]


def _head(folder: Path, spec: AdaptSpec, winner: str, case: Case) -> Entry:
    """PAC-Bayes around the plan's own head, where the encoder is the pretrained one."""
    if not all(_leaves_the_encoder(phase) for phase in spec.by_name[winner].phases):
        reason = (
            f"plan {winner} changed the encoder by the training labels, so its features are not independent of them; "
            "the disagreement certificate is about the whole network"
        )
        return missing("adapted_head", reason, confidence=case.confidence)
    return Row("adapted_head", lambda: _around_own_head(folder, case)).entry(confidence=case.confidence)


def _leaves_the_encoder(phase: Phase) -> bool:
    """Whether a phase trains the head alone, with the statistics of batch norms as they were."""
    return phase.batch_norm == "frozen" and all(pattern.startswith("head.") for pattern in phase.trains)


def _around_own_head(folder: Path, case: Case) -> tuple[Bound, Estimate]:
    head = load_predictor(folder).network.head
    weights, bias = (value.detach().numpy().astype(np.float64) for value in (head.weight, head.bias))
    # The unit is fixed by the test inputs, without labels: no label of the bound's own sample is in it.
    unit = float(np.sqrt((case.test.features**2).sum(axis=1).mean())) or 1.0
    zeros = ReferenceHead(np.zeros_like(weights), np.zeros_like(bias), frozenset(), unit=unit)
    bound = pac_bayes_head_bound(
        case.train.features,
        case.train.labels,
        reference=zeros,
        head=(unit * weights, bias),
        confidence=case.confidence,
        hashes=case.train.hashes,
        groups=case.train.groups,
        representation_independent=case.known.without_train,
    )
    return with_assumptions(bound, *said_of(case)), gibbs_truth(case, bound, zeros.rows(case.test.features))
