"""All bounds of the models of a diagnosis: its inputs opened again, every bound put beside the others."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from carryover._core.errors import InputError
from carryover._core.strict import build
from carryover.bounding.case import Case, Known, Sample, classifier_case, sample_of
from carryover.bounding.contrastive import contrastive_entry
from carryover.bounding.entry import Entry, entry_record
from carryover.bounding.labelled import labelled_bounds
from carryover.bounding.options import BoundsOptions
from carryover.bounding.pools import unlabelled_pool
from carryover.bounding.retrained import check_masks_suffice, retrained_bounds
from carryover.bounding.transfer import transfer_estimates
from carryover.diagnosis.candidates import Candidate
from carryover.diagnosis.gathering import ModelFeatures, gather_features
from carryover.diagnosis.identity import content_hashes
from carryover.diagnosis.inputs import Inputs, open_inputs
from carryover.diagnosis.measuring import domain_of, rows_in_memory
from carryover.diagnosis.pretraining_terms import pretraining_terms
from carryover.diagnosis.specs import DiagnosisSpec
from carryover.diagnosis.target import Part
from carryover.measures.heterogeneity import TotalVariation
from carryover.measures.ridge import fit_ridge_path

REGRESSION = "bounds are on error rates, and the target is a number"
NONE_MEASURED = "no model of this report was measured, so there is no classifier to bound"


@dataclass(frozen=True)
class _Measured:
    candidate: Candidate
    case: Case
    variation: TotalVariation | None


def bounds_of_report(record: Mapping[str, Any], options: BoundsOptions | None = None) -> dict[str, Any]:
    """The record of a diagnosis with ``all_bounds`` for every model that was measured (docs/report_schema.md).

    Target, models and features are opened again as the record's spec says; the classifier is the ridge probe on all
    training labels that are held in memory.  A model whose bounds cannot be computed at all has none, and a warning
    says why.  Raises InputError where the inputs cannot be opened or have changed since, where no model has bounds, for
    too few masks and for regression.
    """
    options = options or BoundsOptions()
    started = time.monotonic()
    if record["data"]["target"]["task"] == "regression":
        raise InputError(REGRESSION)
    names = {model["name"] for model in record["models"] if model["status"] == "ok"}
    if not names:
        raise InputError(NONE_MEASURED)
    spec, inputs = _reopened(record, options)
    check_masks_suffice(options.n_masks, min(len(inputs.target.train), spec.measure.max_rows))
    measured, failed = _measured(names, inputs, spec=spec, options=options)
    entries = _entries(measured, inputs, options)
    models = [
        {**model, "all_bounds": [entry_record(entry) for entry in entries[model["name"]]]}
        if model["name"] in entries
        else model
        for model in record["models"]
    ]
    return {
        **record,
        "models": models,
        "all_bounds_of": summary_record(measured[0].case, seconds=time.monotonic() - started),
        "warnings": [*record["warnings"], *_new_notes(record, measured), *failed],
    }


def summary_record(case: Case, *, seconds: float) -> dict[str, Any]:
    """What all bounds of a comparison share."""
    return {
        "n_bound": len(case.train),
        "n_prior": len(case.halves[0]),
        "n_test": len(case.test),
        "n_unlabelled": len(case.pool),
        "unlabelled": case.pool.words,
        "confidence": case.confidence,
        "seconds": round(seconds, 3),
    }


def _reopened(record: Mapping[str, Any], options: BoundsOptions) -> tuple[DiagnosisSpec, Inputs]:
    table = {key: value for key, value in record["spec"].items() if key != "adaptations"}
    try:
        spec = build(DiagnosisSpec, table)
        inputs = open_inputs(spec, options.run)
    except InputError as error:
        raise InputError(
            "what this report was made from cannot be opened again, as where it was made from arrays or its data "
            f"moved: {error}"
        ) from error
    then = {key: value for key, value in record["run"]["hashes"].items() if key != "adaptations"}
    now = content_hashes(inputs.target, inputs.candidates, inputs.pools)
    changed = sorted(key for key in then if now.get(key) != then[key])
    if changed:
        raise InputError(
            f"{', '.join(changed)} changed since the report was made: diagnose again, then compute the bounds"
        )
    return spec, inputs


def _measured(
    names: set[str], inputs: Inputs, *, spec: DiagnosisSpec, options: BoundsOptions
) -> tuple[list[_Measured], list[str]]:
    """The cases of these models, and a warning for each that has none; InputError where none has one."""
    found, failed = [], []
    for candidate in (one for one in inputs.candidates if one.name in names):
        features = gather_features(candidate, inputs.target, inputs.pools, options=options.run)
        try:
            found.append(_case(candidate, features, inputs, spec=spec, options=options))
        except InputError as error:
            failed.append(f"Bounds of {candidate.name} were not computed: {error}.")
    if not found:
        raise InputError(f"no model has bounds. {' '.join(failed)}")
    return found, failed


def _case(
    candidate: Candidate,
    features: ModelFeatures,
    inputs: Inputs,
    *,
    spec: DiagnosisSpec,
    options: BoundsOptions,
) -> _Measured:
    target = inputs.target
    rows = rows_in_memory(features, target, spec.measure.max_rows, spec.seed)
    path = fit_ridge_path(rows.features, rows.part.targets, n_classes=target.n_classes)
    notes = ()
    if len(rows.part) < len(target.train):
        notes = (f"The classifier is a probe on {len(rows.part):,} of {len(target.train):,} training rows.",)
    case = classifier_case(
        part_sample(rows.features, rows.part),
        part_sample(features.test, target.test),
        n_classes=target.n_classes,
        predict=lambda matrix: path.predict_scores(matrix).argmax(axis=1),
        pool=unlabelled_pool(candidate, features, inputs),
        known=Known(candidate.chosen_without, candidate.chosen_without_test, by_class=target.drawn_by_class),
        confidence=options.confidence,
        seed=spec.seed,
        notes=notes,
    )
    variation, _ = domain_of(features, target, rows, spec.seed)
    return _Measured(candidate, case, variation)


def part_sample(features: np.ndarray, part: Part) -> Sample:
    """The labelled examples of a part, named by the contents of their images where there are any."""
    hashes = None if part.images is None else part.images.example_hashes
    return sample_of(features, part.targets, hashes=hashes, groups=part.groups)


def _entries(measured: list[_Measured], inputs: Inputs, options: BoundsOptions) -> dict[str, list[Entry]]:
    """By model: bounds at a confidence level, bounds in expectation, the estimate of the transfer bound."""
    models = [(one.candidate, one.case, one.variation) for one in measured]
    transfer = transfer_estimates(models, pretraining_terms(inputs.candidates))
    found = {}
    for place, one in enumerate(measured):
        options.run.progress(f"{one.candidate.name}: bounds", place / len(measured))
        name = one.candidate.name
        found[name] = [
            *labelled_bounds(one.case),
            contrastive_entry(one.candidate, one.case),
            *retrained_bounds(one.case, n_masks=options.n_masks),
            transfer[name],
        ]
    return found


def _new_notes(record: Mapping[str, Any], measured: list[_Measured]) -> list[str]:
    notes = dict.fromkeys(f"Bounds: {note}" for one in measured for note in one.case.notes)
    return [note for note in notes if note not in record["warnings"]]
