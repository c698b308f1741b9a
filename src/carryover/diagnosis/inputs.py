"""Everything a diagnosis reads, opened and checked: target, candidates, pools, and warnings about overlaps."""

from dataclasses import dataclass

from carryover._core.errors import InputError
from carryover.data.hashing import overlap
from carryover.data.images import ImageColumn
from carryover.diagnosis.adaptations import Adaptation, match_adaptations, read_adaptations
from carryover.diagnosis.candidates import Candidate, named_uniquely, open_feature_candidates, open_networks
from carryover.diagnosis.gathering import Pools
from carryover.diagnosis.leaks import guard, told_of_pool
from carryover.diagnosis.options import RunOptions
from carryover.diagnosis.pools import load_pool
from carryover.diagnosis.specs import DiagnosisSpec
from carryover.diagnosis.target import Target, load_target, target_from_features


@dataclass(frozen=True)
class Inputs:
    """``candidates`` are in the order of the config; ``warnings`` are sentences for the report."""

    target: Target
    candidates: tuple[Candidate, ...]
    pools: Pools
    warnings: tuple[str, ...]
    adaptations: tuple[Adaptation, ...] = ()


def open_inputs(spec: DiagnosisSpec, options: RunOptions) -> Inputs:
    """Open all that the spec names.  Nothing long happens here, and nothing is written.

    Raises InputError for whatever cannot be read or does not fit together.
    """
    runs = read_adaptations(spec.adaptations)
    files = open_feature_candidates(spec.models)
    options.progress("opening models and data", 0.2)
    if spec.target.path is not None:
        target = load_target(spec.target, seed=spec.seed, max_test=spec.measure.max_rows)
    else:
        first = files[min(files)]
        target = target_from_features(
            first.file, first.test_file, spec=spec.target, seed=spec.seed, max_test=spec.measure.max_rows
        )
    _check_pools(spec)
    options.progress("opening models and data", 0.5)
    images = target.train.images
    pools = Pools() if images is None else _open_pools(spec, images)
    options.progress("opening models and data", 0.7)
    networks = open_networks(
        spec.models,
        images=pools.unlabelled.images if pools.unlabelled is not None else images,
        images_are_labelled=pools.unlabelled is None,
        seed=spec.seed,
    )
    opened = {**files, **networks}
    candidates = named_uniquely([opened[index] for index in sorted(opened)])
    candidates, seen = guard(candidates, target, spec.allow_overlap)
    if pools.unlabelled is not None:
        candidates = told_of_pool(candidates, target, pools.unlabelled.images.example_hashes)
    adaptations = match_adaptations(runs, candidates, target)
    return Inputs(target, tuple(candidates), pools, (*seen, *_overlaps(target, pools)), adaptations)


def _open_pools(spec: DiagnosisSpec, images: ImageColumn) -> Pools:
    given = (
        ("unlabelled", "[unlabelled]", spec.unlabelled),
        ("pretraining", "[pretraining_sample]", spec.pretraining_sample),
    )
    return Pools(
        **{
            role: load_pool(pool, key, shape=images.shape, seed=spec.seed)
            for role, key, pool in given
            if pool is not None
        }
    )


def _check_pools(spec: DiagnosisSpec) -> None:
    for key, pool in (("unlabelled", spec.unlabelled), ("pretraining_sample", spec.pretraining_sample)):
        if pool is not None and spec.target.path is None:
            raise InputError(
                f"[{key}] is a set of images and the target is a file of features: give pretraining_features in "
                "[[models]] instead, or [target] path"
            )


def _overlaps(target: Target, pools: Pools) -> list[str]:
    """Sentences about examples that stand on two sides."""
    if target.train.images is None or target.test.images is None:
        return []
    sides = {"the training examples": target.train.images, "the test examples": target.test.images}
    pairs = [("the training examples", "the test examples")]
    for role, name in (("unlabelled", "the unlabelled pool"), ("pretraining", "the pretraining sample")):
        pool = getattr(pools, role)
        if pool is not None:
            sides[name] = pool.images
            pairs.append((name, "the test examples"))
            pairs.append((name, "the training examples"))
    hashes = {name: images.example_hashes for name, images in sides.items()}
    found = [(a, b, overlap(hashes[a], hashes[b])) for a, b in pairs]
    return [shared.sentence(a, b) for a, b, shared in found if shared.n_shared]
