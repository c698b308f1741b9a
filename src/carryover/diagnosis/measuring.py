"""Everything that is measured of one candidate: probe, learning curve, scores, terms of the bound, bounds."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from carryover._core.results import Bound, Estimate
from carryover._core.seeding import derive_generator
from carryover.bounds.base import DATA_SHARES
from carryover.bounds.holdout import holdout_bound
from carryover.bounds.pac_bayes import pac_bayes_bound
from carryover.bounds.rademacher import rademacher_bound
from carryover.data.splits import stratified_subset
from carryover.diagnosis.gathering import ModelFeatures
from carryover.diagnosis.probing import Probe, fit_probe
from carryover.diagnosis.specs import MeasureSpec
from carryover.diagnosis.target import Part, Target
from carryover.diagnosis.whole_scores import scores_of_all_rows
from carryover.measures.heterogeneity import (
    FEWEST,
    TotalVariation,
    likeness_to_pretraining,
    total_variation_lower_bound,
)
from carryover.measures.learning_curve import LearningCurve, measure_learning_curve
from carryover.measures.rademacher import RademacherComplexity, rademacher_complexity_from_blocks
from carryover.measures.scoring import score_all

Report = Callable[[str, float], None]
CONFIDENCE = 0.95
NO_SAMPLE = "no sample of the pretraining data was given"


@dataclass(frozen=True)
class Measurements:
    """The measures of one candidate; ``likeness`` (t,) is None without a pretraining sample."""

    n_features: int
    probe: Probe
    curve: LearningCurve
    scores: dict[str, Estimate]
    rademacher: RademacherComplexity
    total_variation: TotalVariation | None
    likeness: np.ndarray | None
    bounds: dict[str, Bound]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rows:
    """Training rows that are held in memory: all of them, or a stated, stratified subsample."""

    features: np.ndarray
    part: Part
    source_probabilities: np.ndarray | None


def measure(
    features: ModelFeatures,
    target: Target,
    spec: MeasureSpec,
    *,
    seed: int,
    chosen_without: bool | None,
    chosen_without_test: bool | None,
    report: Report,
) -> Measurements:
    """Measure one candidate.  ``seed`` gives every candidate the same subsets, so that they can be compared in pairs.

    ``chosen_without`` (training examples) and ``chosen_without_test`` set the state of the bounds' assumptions.
    ``report`` is told each stage and the fraction done.  Beyond ``spec.max_rows`` training rows, the probe and the
    Rademacher complexity work from sums over all rows, the rest on a subsample that the notes state.
    """
    rows = rows_in_memory(features, target, spec.max_rows, seed)
    notes = []
    if len(rows.part) < len(target.train):
        notes.append(
            f"Bounds, and scores that cannot be had from sums, use {len(rows.part):,} of {len(target.train):,} "
            "training rows (stratified, seeded)."
        )
    report("fitting the probes", 0.0)
    probe = fit_probe(
        features,
        rows.features if len(rows.part) == len(target.train) else None,
        target,
        subsample=(rows.features, rows.part),
        generator=derive_generator(seed, "logistic"),
    )
    curve_rows = _curve_rows(rows, spec, seed)
    if len(curve_rows.part) < len(target.train):
        notes.append(
            f"The learning curve, the verdict and the probability of being best are for {len(curve_rows.part):,} of "
            f"{len(target.train):,} training rows."
        )
    report("learning curve", 0.1)
    curve = measure_learning_curve(
        curve_rows.features,
        curve_rows.part.targets,
        features.test,
        test_targets=target.test.targets,
        generator=derive_generator(seed, "learning curve"),
        task=target.task,
        n_classes=target.n_classes,
        train_groups=curve_rows.part.groups,
        test_groups=target.test.groups,
        n_partitions=spec.n_partitions,
        progress=lambda done: report("learning curve", 0.1 + 0.3 * done),
    )
    scores = score_all(
        rows.features,
        rows.part.targets,
        task=target.task,
        source_probabilities=rows.source_probabilities,
        groups=rows.part.groups,
        n_draws=spec.n_draws,
        generator=derive_generator(seed, "scores"),
        max_rows=spec.max_rows,
        progress=lambda done, total: report("scores", 0.4 + 0.4 * done / total),
    )
    if probe.moments is not None:
        scores |= scores_of_all_rows(scores, probe.moments, probe.path, n_used=len(rows.part))
    report("terms and bounds", 0.8)
    variation, likeness = domain_of(features, target, rows, seed)
    return Measurements(
        n_features=features.train.shape[1],
        probe=probe,
        curve=curve,
        scores=scores,
        rademacher=rademacher_complexity_from_blocks(
            (block for _, block in features.train.blocks()),
            n_outputs=target.n_classes or 1,
            generator=derive_generator(seed, "rademacher"),
        ),
        total_variation=variation,
        likeness=likeness,
        bounds=_bounds(
            probe,
            rows,
            target,
            seed=seed,
            chosen_without=chosen_without,
            chosen_without_test=chosen_without_test,
        ),
        notes=tuple(notes),
    )


def rows_in_memory(features: ModelFeatures, target: Target, limit: int, seed: int) -> Rows:
    """All training rows, or a stratified, seeded subsample of ``limit`` of them."""
    part, source = target.train, features.source_probabilities
    if len(part) <= limit:
        return Rows(features.train.all(), part, None if source is None else source.all())
    rows = stratified_subset(part.targets, limit, generator=derive_generator(seed, "subsample"))
    return Rows(features.train.take(rows), part.take(rows), None if source is None else source.take(rows))


def _curve_rows(rows: Rows, spec: MeasureSpec, seed: int) -> Rows:
    if len(rows.part) <= spec.curve_rows:
        return rows
    generator = derive_generator(seed, "curve rows")
    kept = stratified_subset(rows.part.targets, spec.curve_rows, generator=generator, groups=rows.part.groups)
    return Rows(rows.features[kept], rows.part.take(kept), None)


def domain_of(
    features: ModelFeatures, target: Target, rows: Rows, seed: int
) -> tuple[TotalVariation | None, np.ndarray | None]:
    """Total variation from below, and how like the pretraining sample each test example is."""
    if features.pretraining is None:
        return None, None
    seen = [rows.features, features.test]
    groups = None
    if target.train.groups is not None and target.test.groups is not None:
        groups = np.concatenate([rows.part.groups, target.test.groups + rows.part.groups.max() + 1])
    if features.unlabelled is not None and groups is None:
        seen.append(features.unlabelled)
    variation = total_variation_lower_bound(
        features.pretraining,
        np.concatenate(seen),
        groups=groups,
        generator=derive_generator(seed, "total variation"),
    )
    if min(len(features.pretraining), len(features.test)) < FEWEST:
        return variation, None
    likeness = likeness_to_pretraining(
        features.pretraining,
        features.test,
        groups=target.test.groups,
        generator=derive_generator(seed, "likeness"),
    )
    return variation, likeness


def _bounds(
    probe: Probe,
    rows: Rows,
    target: Target,
    *,
    seed: int,
    chosen_without: bool | None,
    chosen_without_test: bool | None,
) -> dict[str, Bound]:
    if target.task == "regression":
        reason = "it bounds an error rate, and the target is a number"
        return {
            name: Bound.missing("not_applicable", reason, CONFIDENCE)
            for name in ("holdout", "rademacher", "pac_bayes")
        }
    shared = {
        "n_classes": target.n_classes,
        "groups": rows.part.groups,
        "representation_independent": chosen_without,
    }
    found = {
        "holdout": holdout_bound(
            probe.correct,
            groups=target.test.groups,
            representation_independent=chosen_without_test,
            test_untouched=True,
        ),
        "rademacher": rademacher_bound(
            rows.features, rows.part.targets, generator=derive_generator(seed, "rademacher bound"), **shared
        ),
        "pac_bayes": pac_bayes_bound(rows.features, rows.part.targets, **shared),
    }
    if not (target.drawn_by_class or len(rows.part) < len(target.train)):
        return found
    return {
        name: replace(bound, assumptions=(*bound.assumptions, DATA_SHARES)) for name, bound in found.items()
    }
