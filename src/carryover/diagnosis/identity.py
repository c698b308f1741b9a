"""What a run was: its id, the hashes of what went in, and the versions of what it ran on."""

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from carryover._core.config import spec_as_table, without_keys
from carryover.diagnosis.adaptations import Adaptation
from carryover.diagnosis.candidates import Candidate
from carryover.diagnosis.config import PATH_KEYS
from carryover.diagnosis.gathering import Pools
from carryover.diagnosis.specs import SPEC_VERSION, DiagnosisSpec
from carryover.diagnosis.target import Part, Target

PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "transformers", "datasets")
_NAMED_BY_CONTENTS = (*PATH_KEYS, "timm", "baseline")


def content_hashes(
    target: Target, candidates: Sequence[Candidate], pools: Pools, *, adaptations: Sequence[Adaptation] = ()
) -> dict[str, Any]:
    """sha256 of the labels and images of each part, of each pool, of each candidate's weights or features, and of
    the result of each adaptation run by its id.
    """
    hashes: dict[str, Any] = {
        "target_train": _part_hash(target.train),
        "target_test": _part_hash(target.test),
        "weights": {candidate.name: candidate.weights_hash for candidate in candidates},
    }
    for role in ("unlabelled", "pretraining"):
        pool = getattr(pools, role)
        if pool is not None:
            hashes[role] = pool.images.content_hash
    if adaptations:
        hashes["adaptations"] = {one.run.id: one.run.result_hash for one in adaptations}
    return hashes


def run_id(spec: DiagnosisSpec, hashes: Mapping[str, Any]) -> str:
    """sha256 of the canonical JSON of the spec: defaults left out, contents in place of paths.

    A folder that moved, a renamed file or another number of threads leaves the id as it is.
    """
    table = {
        "spec_version": SPEC_VERSION,
        "spec": without_keys(spec_as_table(spec), _NAMED_BY_CONTENTS),
        "hashes": hashes,
    }
    canonical = json.dumps(table, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


def versions() -> dict[str, str]:
    """Python's version and those of the packages that numbers depend on."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def threads_in_use() -> int:
    """The most threads any numerical library of this process uses."""
    from threadpoolctl import threadpool_info

    return max((pool["num_threads"] for pool in threadpool_info()), default=1)


def _part_hash(part: Part) -> str:
    digest = hashlib.sha256()
    digest.update(part.targets.tobytes())
    digest.update(part.positions.tobytes())
    if part.groups is not None:
        digest.update(part.groups.tobytes())
    if part.images is not None:
        digest.update(part.images.content_hash.encode())
    return digest.hexdigest()
