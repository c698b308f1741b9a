"""An adaptation run in its folder: every plan on the same labels, compared, and the winner kept as a predictor."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from carryover._core.config import spec_as_table, without_keys
from carryover._core.errors import NotComputedError
from carryover.adaptation.checking import check_plans
from carryover.adaptation.forecast import forecast_plan, forecast_record
from carryover.adaptation.inputs import AdaptInputs, labels_hash, open_adaptation
from carryover.adaptation.kept import kept
from carryover.adaptation.outcome import PlanOutcome, example_losses, measures_of, run_plan
from carryover.adaptation.phases import Budget, Examples, all_scores
from carryover.adaptation.plans import Plan
from carryover.adaptation.regime import check_regime_memory, regime_record
from carryover.adaptation.result import choice_record, failed_record, outcome_record
from carryover.adaptation.saving import save_predictor
from carryover.adaptation.specs import SPEC_VERSION, AdaptSpec
from carryover.data.atomic import written_whole
from carryover.models.initial_scales import InitialScales
from carryover.objectives.views import Views
from carryover.pretraining.folder import run_folder
from carryover.training.loop import LoopOptions

SCHEMA = "carryover.adaptation/1"
_PATHS = ("path", "factory", "weights", "timm")


@dataclass(frozen=True)
class AdaptOptions:
    """What does not change the result.  ``announce`` is given a sentence before each plan, and where one fails."""

    device: str = "cpu"
    checkpoint_every: int = 100
    log_every: int = 10
    progress: Callable[[Mapping[str, Any]], None] = field(default=lambda _: None)
    announce: Callable[[str], None] = field(default=lambda _: None)
    stop: Callable[[], bool] = field(default=lambda: False)


@dataclass(frozen=True)
class AdaptResult:
    """``record``: what result.json holds, None where the run was asked to stop."""

    folder: Path
    done: bool
    record: Mapping[str, Any] | None


def adapt(spec: AdaptSpec, folder: str | Path, options: AdaptOptions | None = None) -> AdaptResult:
    """Adapt by ``spec`` in ``folder``, going on from where an earlier call with the same spec and data stopped.

    The folder gets run.json, plans/ with checkpoints, forecasts (made before any plan runs) and regimes, and in the end
    model/ (the winner, see :func:`~carryover.adaptation.saving.load_predictor`), predictions.parquet and result.json.
    The winner has the least validation loss; test examples choose nothing.  A plan that diverges and has no good
    weights to go back to keeps its row, with the reason, and the others are compared.
    Raises InputError for what cannot be used or belongs to another run, NotComputedError where no plan was finished.
    """
    options, folder = options or AdaptOptions(), Path(folder).expanduser()
    inputs = open_adaptation(spec, device=options.device)
    check_plans(inputs.make, spec.chosen)
    record = _run_record(spec, inputs)
    check_regime_memory(inputs.make, spec.chosen, inputs.split.test.images, spec.regime)
    with run_folder(folder, record):
        forecasts = _forecasts(spec, inputs, folder=folder, options=options)
        outcomes, failed = _in_turn(spec, inputs, folder=folder, options=options, run_id=record["id"])
        if outcomes and not outcomes[-1].done:
            return AdaptResult(folder, False, None)
        if not outcomes:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
            raise NotComputedError(f"no plan was finished, so there is nothing to predict with. {reasons}")
        validation = np.stack([example_losses(one.network, inputs.split.validation) for one in outcomes])
        winner = outcomes[int(np.argmin(validation.mean(axis=1)))]
        save_predictor(winner, spec, inputs, folder=folder, run_id=record["id"])
        regimes = _regimes(outcomes, winner, spec, inputs, folder=folder, options=options)
        measured = {"forecast": forecasts, "regime": regimes}
        result = _result(outcomes, validation, winner, inputs, measured=measured, failed=failed)
        with written_whole(folder / "result.json", overwrite=True) as path:
            path.write_text(json.dumps(result, indent=1, allow_nan=False), encoding="utf-8")
    return AdaptResult(folder, True, result)


def _in_turn(
    spec: AdaptSpec, inputs: AdaptInputs, *, folder: Path, options: AdaptOptions, run_id: str
) -> tuple[list[PlanOutcome], dict[str, str]]:
    """What every plan found, up to one that was asked to stop; and the reasons of those that failed, by name."""
    outcomes, failed = [], {}
    for plan in spec.chosen:
        options.announce(f"plan {plan.name}")
        try:
            outcomes.append(_one(plan, spec, inputs, folder=folder, options=options, run_id=run_id))
        except NotComputedError as error:
            failed[plan.name] = str(error)
            options.announce(f"plan {plan.name} failed: {error}")
            continue
        if not outcomes[-1].done:
            break
    return outcomes, failed


def _one(
    plan: Plan, spec: AdaptSpec, inputs: AdaptInputs, *, folder: Path, options: AdaptOptions, run_id: str
) -> PlanOutcome:
    loop = LoopOptions(
        folder=folder / "plans" / plan.name,
        run_id=run_id,
        checkpoint_every=options.checkpoint_every,
        log_every=options.log_every,
        progress=options.progress,
        stop=options.stop,
    )
    return run_plan(
        inputs.make,
        plan,
        inputs.split,
        budget=_budget(spec),
        scales=_scales(spec),
        options=loop,
        pool_steps=spec.train.pool_steps,
        longer=spec.decompose,
    )


def _forecasts(
    spec: AdaptSpec, inputs: AdaptInputs, *, folder: Path, options: AdaptOptions
) -> dict[str, dict[str, Any]]:
    """By plan, what it is expected to reach; {} where that is not wanted."""
    if not spec.forecast.make:
        return {}
    given = {"budget": _budget(spec), "scales": _scales(spec), "spec": spec.forecast}
    found = {}
    for plan in spec.chosen:
        path = folder / "plans" / plan.name / "forecast.json"
        if not path.exists():
            options.announce(f"forecast of {plan.name}")
        found[plan.name] = kept(
            path, lambda plan=plan: forecast_record(forecast_plan(inputs.make, plan, inputs.split, **given))
        )
    return found


def _regimes(
    outcomes: list[PlanOutcome],
    winner: PlanOutcome,
    spec: AdaptSpec,
    inputs: AdaptInputs,
    *,
    folder: Path,
    options: AdaptOptions,
) -> dict[str, dict[str, Any]]:
    """By plan, the regime of its run: of all plans, the winner's or none."""
    chosen = {"all": outcomes, "winner": [winner], "none": []}[spec.regime.plans]
    given = {"budget": _budget(spec), "scales": _scales(spec), "spec": spec.regime}
    found = {}
    for one in chosen:
        path = folder / "plans" / one.plan.name / "regime.json"
        if not path.exists():
            options.announce(f"learning regime of {one.plan.name}")
        found[one.plan.name] = kept(
            path, lambda one=one: regime_record(one, inputs.make, inputs.split, **given)
        )
    return found


def _scales(spec: AdaptSpec) -> InitialScales | None:
    """None where nothing is scaled."""
    return spec.scales if spec_as_table(spec.scales) else None


def _budget(spec: AdaptSpec) -> Budget:
    given = spec.train
    views = Views(least_area=given.least_area, flip=given.flip, jitter=0.0, grey=0.0)
    return Budget(given.steps, given.batch_size, given.warmup, given.clip_norm, views, spec.seed)


def _run_record(spec: AdaptSpec, inputs: AdaptInputs) -> dict[str, Any]:
    hashes = {**inputs.hashes, "weights": inputs.candidate.weights_hash}
    named = {
        "spec_version": SPEC_VERSION,
        "spec": without_keys(spec_as_table(spec), _PATHS),
        "hashes": hashes,
    }
    canonical = json.dumps(named, sort_keys=True, default=str)
    return {
        "schema": SCHEMA,
        "id": hashlib.sha256(canonical.encode()).hexdigest(),
        "spec": json.loads(json.dumps(spec_as_table(spec), default=str)),
        "hashes": hashes,
        "labels": labels_hash(inputs.target),
        "threads": torch.get_num_threads(),
    }


def _result(
    outcomes: list[PlanOutcome],
    validation: np.ndarray,
    winner: PlanOutcome,
    inputs: AdaptInputs,
    *,
    measured: Mapping[str, Mapping[str, Any]],
    failed: Mapping[str, str],
) -> dict[str, Any]:
    target = inputs.target
    return {
        "schema": SCHEMA,
        "model": inputs.candidate.name,
        "target": {
            "name": target.name,
            "task": target.task,
            "classes": list(target.class_names),
            "n_train": len(inputs.split.train),
            "n_validation": len(inputs.split.validation),
            "n_test": len(inputs.split.test),
        },
        "winner": winner.plan.name,
        "choice": choice_record([one.plan.name for one in outcomes], validation, n_failed=len(failed)),
        "plans": [
            {
                **outcome_record(
                    one, winner, validation_loss=float(losses.mean()), targets=inputs.split.test.targets
                ),
                **_out_of_domain(one, inputs.out_of_domain),
                **{key: by_plan.get(one.plan.name) for key, by_plan in measured.items()},
            }
            for one, losses in zip(outcomes, validation, strict=True)
        ]
        + [failed_record(name, reason) for name, reason in failed.items()],
    }


def _out_of_domain(outcome: PlanOutcome, examples: Examples | None) -> dict[str, Any]:
    """The plan's measures in the other domain; nothing without one."""
    if examples is None:
        return {}
    scores = all_scores(outcome.network, examples.images).cpu().numpy()
    found = measures_of(scores, examples.targets.cpu().numpy(), example_losses(outcome.network, examples))
    return {f"out_of_domain_{name}": dataclasses.asdict(one) for name, one in found.items()}
