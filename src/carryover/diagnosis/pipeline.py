"""The main job on one page: inputs, features, measures, ranking, verdicts, record."""

import datetime
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from carryover._core.config import spec_as_table
from carryover._core.results import Estimate
from carryover._core.seeding import derive_generator
from carryover.diagnosis.adaptation_record import adaptation_record
from carryover.diagnosis.candidates import Candidate
from carryover.diagnosis.config import read_config
from carryover.diagnosis.cost import estimate_cost
from carryover.diagnosis.gathering import gather_features
from carryover.diagnosis.identity import content_hashes, run_id, threads_in_use, versions
from carryover.diagnosis.inputs import Inputs, open_inputs
from carryover.diagnosis.measuring import Measurements, measure
from carryover.diagnosis.options import RunOptions
from carryover.diagnosis.pretraining_terms import pretraining_terms
from carryover.diagnosis.record import (
    SCHEMA,
    failed_model_record,
    model_record,
    ranking_record,
    target_record,
    verdict_record,
)
from carryover.diagnosis.specs import DiagnosisSpec
from carryover.diagnosis.verdicts import judge
from carryover.measures.curve_resampling import draw_resampling
from carryover.measures.error_law import Extrapolation, extrapolate
from carryover.measures.ranking import probability_best

RESAMPLINGS = 400


@dataclass(frozen=True)
class Diagnosis:
    """The answer: ``record`` is what report.json holds (see docs/report_schema.md)."""

    record: Mapping[str, Any]

    @property
    def ranking(self) -> list[dict[str, Any]]:
        """Candidates, most probably best first: name, probability_best, accuracy."""
        return self.record["ranking"]

    @property
    def verdicts(self) -> list[dict[str, Any]]:
        """For each candidate what limits it, in a word, a sentence and with the evidence."""
        return self.record["verdicts"]


@dataclass(frozen=True)
class _Measured:
    candidate: Candidate
    measurements: Measurements
    extrapolation: Extrapolation | None = None
    seconds: float = 0.0


def diagnose(
    config: str | Path | Mapping[str, Any] | DiagnosisSpec | None = None,
    *,
    models: Sequence[str] = (),
    overrides: Mapping[str, Any] | None = None,
    options: RunOptions | None = None,
) -> Diagnosis:
    """Which candidate carries most over to the target, what accuracy to expect, what limits it, and how sure that is.

    ``config``: a TOML file, the same tables as a mapping, or a :class:`DiagnosisSpec`; ``models`` (NAME=PATH) and
    ``overrides`` (dotted keys) are laid over it.  Every candidate is opened and checked before any long work starts,
    and ``options.announce`` is given the cost estimate.  A candidate that cannot be measured keeps its row, with the
    reason.  Write the report with :func:`carryover.write_report`.
    Raises InputError for input that cannot be used.
    """
    options = options or RunOptions()
    started = time.monotonic()
    spec = config if isinstance(config, DiagnosisSpec) else read_config(
        config, models=models, overrides=overrides
    )  # fmt: skip
    options.progress("opening models and data", 0.0)
    return diagnose_inputs(spec, open_inputs(spec, options), options=options, started=started)


def diagnose_inputs(spec: DiagnosisSpec, inputs: Inputs, *, options: RunOptions, started: float) -> Diagnosis:
    """The diagnosis of inputs that are open; ``started`` is the monotonic time that the run counts from."""
    options.announce(
        estimate_cost(inputs.candidates, inputs.target, inputs.pools, spec.measure, device=options.device)
    )
    measured, failed = [], {}
    for candidate in inputs.candidates:
        try:
            measured.append(_measure_one(candidate, inputs, spec, options))
        except np.linalg.LinAlgError as error:
            failed[candidate.name] = f"the linear algebra failed: {error}"
    options.progress("ranking and verdicts", 0.0)
    record = _record(spec, inputs, measured, failed)
    record["run"]["seconds"] = round(time.monotonic() - started, 3)
    return Diagnosis(record)


def _measure_one(candidate: Candidate, inputs: Inputs, spec: DiagnosisSpec, options: RunOptions) -> _Measured:
    start = time.monotonic()
    features = gather_features(candidate, inputs.target, inputs.pools, options=options)
    measurements = measure(
        features,
        inputs.target,
        spec.measure,
        seed=spec.seed,
        chosen_without=candidate.chosen_without,
        chosen_without_test=candidate.chosen_without_test,
        report=lambda stage, done: options.progress(f"{candidate.name}: {stage}", done),
    )
    return _Measured(candidate, measurements, seconds=time.monotonic() - start)


def _record(
    spec: DiagnosisSpec, inputs: Inputs, measured: list[_Measured], failed: Mapping[str, str]
) -> dict[str, Any]:
    from carryover import __version__

    hashes = content_hashes(inputs.target, inputs.candidates, inputs.pools, adaptations=inputs.adaptations)
    rows = {one: failed_model_record(one_candidate, failed[one])
            for one_candidate in inputs.candidates for one in [one_candidate.name] if one in failed}  # fmt: skip
    ranking, verdicts = [], []
    terms = pretraining_terms(inputs.candidates)
    if measured:
        resampling = draw_resampling(
            measured[0].measurements.curve,
            n_draws=RESAMPLINGS,
            generator=derive_generator(spec.seed, "resampling"),
        )
        extrapolations = {
            one.candidate.name: extrapolate(one.measurements.curve, resampling) for one in measured
        }
        for one in measured:
            name = one.candidate.name
            rows[name] = model_record(
                one.candidate,
                one.measurements,
                extrapolations[name],
                pretraining=terms[name],
                seconds=one.seconds,
            )
            rivals = {other: found.asymptote for other, found in extrapolations.items() if other != name}
            verdict = judge(
                name,
                one.measurements.curve,
                resampling,
                likeness=one.measurements.likeness,
                rival_asymptotes=rivals,
            )
            verdicts.append(verdict_record(verdict))
        ranking = _ranking(spec, measured)
    ranking += ranking_record(
        {name: (None, Estimate.missing("failed", reason)) for name, reason in failed.items()}
    )
    order = {row["name"]: place for place, row in enumerate(ranking)}
    return {
        "schema": SCHEMA,
        "carryover_version": __version__,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "spec": _spec_record(spec, inputs),
        "run": {
            "id": run_id(spec, hashes),
            "seed": spec.seed,
            "threads": threads_in_use(),
            "seconds": None,
            "versions": versions(),
            "hashes": hashes,
        },
        "data": {
            "target": target_record(inputs.target),
            "unlabelled": _pool_record(inputs.pools.unlabelled),
            "pretraining_sample": _pool_record(inputs.pools.pretraining),
        },
        "models": [
            {**rows[candidate.name], "adaptation": _runs_of(candidate, inputs)}
            for candidate in inputs.candidates
        ],
        "ranking": ranking,
        "verdicts": sorted(verdicts, key=lambda one: order[one["model"]]),
        "warnings": list(inputs.warnings),
    }


def _spec_record(spec: DiagnosisSpec, inputs: Inputs) -> dict[str, Any]:
    """The spec, its adaptation runs named by their folders without the way there."""
    folders = [one.run.folder for one in inputs.adaptations]
    return {**spec_as_table(spec), **({"adaptations": folders} if folders else {})}


def _runs_of(candidate: Candidate, inputs: Inputs) -> list[dict[str, Any]]:
    return [adaptation_record(one) for one in inputs.adaptations if one.model == candidate.name]


def _ranking(spec: DiagnosisSpec, measured: list[_Measured]) -> list[dict[str, Any]]:
    found = probability_best(
        [one.measurements.curve for one in measured], generator=derive_generator(spec.seed, "ranking")
    )
    rows = {}
    for index in found.order:
        estimates = measured[index].measurements.probe.estimates
        accuracy = estimates.get("accuracy") or estimates["r2"]
        rows[measured[index].candidate.name] = (float(found.probability_best[index]), accuracy)
    return ranking_record(rows)


def _pool_record(pool: Any) -> dict[str, Any] | None:
    return None if pool is None else {"name": pool.name, "n": len(pool)}
