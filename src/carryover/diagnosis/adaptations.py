"""Runs of ``carryover adapt`` as a diagnosis reads them: files that are checked and matched to model and target."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carryover._core.conditions import Check
from carryover._core.errors import InputError
from carryover.data.hashing import path_hash
from carryover.diagnosis.adaptation_checks import SCHEMA, check_result, check_run
from carryover.diagnosis.candidates import Candidate
from carryover.diagnosis.target import Target

_SHOWN = 5


@dataclass(frozen=True)
class AdaptationRun:
    """A finished run.

    ``folder`` is the folder's name without its path; ``weights_hash`` that of the network that was adapted;
    ``test_hash`` the content hash of the test images; ``result`` what result.json holds, ``result_hash`` its sha256.
    """

    folder: str
    id: str
    weights_hash: str
    test_hash: str
    result: Mapping[str, Any]
    result_hash: str


@dataclass(frozen=True)
class Adaptation:
    """A run and the candidate that it adapted; ``same_test``: whether both measured on the same test images."""

    model: str
    run: AdaptationRun
    same_test: bool


def read_adaptations(folders: Sequence[str]) -> tuple[AdaptationRun, ...]:
    """The runs in these folders, in their order.

    Raises InputError for a folder that holds no finished run, a file that is damaged or has another schema, and a
    run that is given twice.
    """
    runs = [_read(Path(folder).expanduser()) for folder in folders]
    first: dict[str, str] = {}
    for folder, run in zip(folders, runs, strict=True):
        if run.id in first:
            raise InputError(f"adaptations: {first[run.id]} and {folder} hold the same run: give it once")
        first[run.id] = folder
    return tuple(runs)


def match_adaptations(
    runs: Sequence[AdaptationRun], candidates: Sequence[Candidate], target: Target
) -> tuple[Adaptation, ...]:
    """Each run with the candidate whose weights it adapted.

    Raises InputError for a run whose model is not among the candidates, or whose task or classes are not the
    target's.
    """
    images = target.test.images
    found = []
    for run in runs:
        name = _model_of(run, candidates)
        _check_target(run, target)
        same = images is not None and images.content_hash == run.test_hash
        found.append(Adaptation(name, run, same))
    return tuple(found)


def _read(folder: Path) -> AdaptationRun:
    if not folder.is_dir():
        raise InputError(f"adaptations: there is no folder {folder}; name one that carryover adapt wrote")
    if not (folder / "run.json").is_file():
        raise InputError(f"adaptations: {folder} holds no run of carryover adapt: it has no run.json")
    if not (folder / "result.json").is_file():
        raise InputError(
            f"adaptations: {folder} has no result.json: the run has not ended; the same carryover adapt command "
            "goes on"
        )
    run = _checked(folder / "run.json", check_run)
    result = _checked(folder / "result.json", check_result)
    return AdaptationRun(
        folder=folder.resolve().name,
        id=run["id"],
        weights_hash=run["hashes"]["weights"],
        test_hash=run["hashes"]["test"],
        result=result,
        result_hash=path_hash(folder / "result.json"),
    )


def _checked(path: Path, check: Check) -> Any:
    try:
        record = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged: {error}") from error
    schema = record.get("schema") if isinstance(record, Mapping) else None
    if schema != SCHEMA:
        raise InputError(f"{path} has the schema {schema!r}, and only {SCHEMA!r} is read here")
    try:
        check(record, "")
    except InputError as error:
        raise InputError(f"{path} is damaged: {error}") from error
    return record


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _model_of(run: AdaptationRun, candidates: Sequence[Candidate]) -> str:
    names = [one.name for one in candidates if one.weights_hash == run.weights_hash]
    adapted = run.result["model"]
    if len(names) > 1 and adapted in names:
        return adapted
    if len(names) > 1:
        raise InputError(
            f"adaptations: the weights that {run.folder} adapted are those of {', '.join(names)}: name the one that "
            f"is meant {adapted!r}, as in that run"
        )
    if not names:
        raise InputError(
            f"adaptations: {run.folder} adapted the model {adapted!r}, and no model diagnosed here has its weights"
            f"; diagnosed are: {', '.join(one.name for one in candidates)}"
        )
    return names[0]


def _check_target(run: AdaptationRun, target: Target) -> None:
    adapted = run.result["target"]
    if adapted["task"] != target.task:
        raise InputError(
            f"adaptations: {run.folder} is a run of {adapted['task']}, and the target {target.name} is one of "
            f"{target.task}"
        )
    differing = sorted(set(adapted["classes"]) ^ set(target.class_names))
    if differing:
        more = ", ..." if len(differing) > _SHOWN else ""
        raise InputError(
            f"adaptations: {run.folder} was adapted to other classes than those of {target.name}; only one of the "
            f"two has: {', '.join(differing[:_SHOWN])}{more}"
        )
