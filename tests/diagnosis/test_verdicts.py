"""The rule of docs/verdict.md on tasks with a planted cause; its sentences; its refusals."""

from collections import Counter

import numpy as np
import pytest

from carryover._core.errors import InputError
from carryover._core.results import Estimate
from carryover._core.seeding import derive_generator
from carryover.data.planted import CAUSES_OF_KIND, PLANTS, planted_task
from carryover.diagnosis.error_parts import CAUSES, near_points, split_error
from carryover.diagnosis.verdicts import Verdict, cause_probabilities, judge
from carryover.measures.curve_resampling import Resampling, draw_resampling
from carryover.measures.heterogeneity import likeness_to_pretraining
from carryover.measures.learning_curve import LearningCurve, measure_learning_curve

SINGLE = ("labels", "representation", "domain")


def measured(family: str, kind: str, draw: int) -> tuple[LearningCurve, Resampling, np.ndarray]:
    task = planted_task(family, kind, generator=derive_generator(7, family, kind, draw))
    generator = derive_generator(8, family, kind, draw)
    curve = measure_learning_curve(
        task.train_features,
        task.train_labels,
        task.test_features,
        test_targets=task.test_labels,
        generator=generator,
        max_halvings=3,
        n_partitions=8,
    )
    likeness = likeness_to_pretraining(task.pretraining_features, task.test_features, generator=generator)
    return curve, draw_resampling(curve, n_draws=300, generator=generator), likeness


def verdict(family: str, kind: str, draw: int = 0, **options: object) -> Verdict:
    curve, resampling, likeness = measured(family, kind, draw)
    return judge("model", curve, resampling, **{"likeness": likeness, **options})


@pytest.mark.parametrize("kind", SINGLE)
def test_a_single_cause_is_named(kind: str) -> None:
    found = verdict("clustered_units", kind)
    assert found.limited_by == kind
    assert found.sentence.startswith("Limited by")
    assert set(found.evidence) == set(CAUSES) and all(part.ok for part in found.evidence.values())


def test_parts_add_up_to_the_error() -> None:
    curve, resampling, likeness = measured("clustered_units", "domain", 1)
    parts = split_error(curve, resampling, likeness=likeness)
    assert np.isclose(parts.value.sum(), 1 - curve.accuracy[-1])
    np.testing.assert_allclose(parts.draws.sum(axis=1), parts.error_draws)
    assert parts.domain_found and parts.draws[:, 0].min() >= 0


def test_a_far_pretraining_sample_alone_never_names_the_domain() -> None:
    """All of the target lies far from the sample, so that total variation is 1; the error does not fall there."""
    curve, resampling, _ = measured("gaussian_classes", "representation", 0)
    likeness = np.random.default_rng(0).normal(-50, 1, len(curve.full_losses))
    found = judge("model", curve, resampling, likeness=likeness)
    assert found.limited_by == "representation"
    assert found.evidence["domain"].interval[0] <= 0 and "not clearly above 0" in found.checks[0]


def test_little_error_is_nothing_to_gain() -> None:
    found = verdict("clustered_units", "none")
    assert found.limited_by == "cannot_tell" and "little left to gain" in found.sentence


def test_without_a_pretraining_sample_the_domain_is_not_assessed() -> None:
    found = verdict("clustered_units", "representation", likeness=None)
    assert found.limited_by == "representation"
    assert found.evidence["domain"].status == "not_applicable"
    assert found.checks[0] == "The domain was not assessed: no pretraining sample was given."


def test_noise_and_lost_information_are_separated_only_by_a_better_rival() -> None:
    curve, resampling, likeness = measured("gaussian_classes", "representation", 0)
    alone = judge("model", curve, resampling, likeness=likeness)
    assert "cannot separate" in alone.sentence
    rivals = {"other": Estimate(value=0.95, interval=(0.93, 0.97))}
    beaten = judge("model", curve, resampling, likeness=likeness, rival_asymptotes=rivals)
    assert "not the labels' noise: other goes on to 0.950" in beaten.sentence
    unsure = {"other": Estimate(value=0.95, interval=(0.3, 0.99))}
    assert "cannot separate" in judge("model", curve, resampling, rival_asymptotes=unsure).sentence


def flat_curve(rate: float, n_levels: int, seed: int = 0) -> tuple[LearningCurve, Resampling]:
    generator = np.random.default_rng(seed)
    halves = (generator.random((n_levels, 6, 2, 300)) < rate).astype(float)
    curve = LearningCurve(
        task="classification",
        sizes=64 / 2.0 ** np.arange(n_levels, -1, -1),
        accuracy=np.full(n_levels + 1, 1 - rate),
        estimates=(),
        half_losses=halves,
        full_losses=(generator.random(300) < rate).astype(float),
    )
    return curve, draw_resampling(curve, n_draws=200, generator=generator)


def test_without_a_law_only_an_overwhelming_domain_is_named() -> None:
    curve, resampling = flat_curve(0.3, 1)
    found = judge("model", curve, resampling)
    assert found.limited_by == "cannot_tell" and "more labels would decide" in found.sentence
    assert found.evidence["labels"].status == "abstained"
    likeness = -curve.full_losses + 0.1 * np.random.default_rng(0).random(300)
    assert judge("model", curve, resampling, likeness=likeness).limited_by == "domain"


def test_likeness_must_fit_the_test_examples() -> None:
    curve, resampling = flat_curve(0.3, 3)
    with pytest.raises(InputError, match="one value for each of 300 examples"):
        judge("model", curve, resampling, likeness=np.zeros(7))


def test_probabilities_of_causes_on_a_small_table() -> None:
    draws = np.array([[3.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.5, 2.0], [2.0, 1.9, 0.0]])
    np.testing.assert_allclose(cause_probabilities(draws, ratio=1.5), [0.25, 0, 0.25])


def test_near_points_are_the_likeliest() -> None:
    assert near_points(np.array([0.1, 3.0, -2.0, 1.0]), 0.5).tolist() == [False, True, False, True]


@pytest.mark.slow
def test_planted_causes_are_named_rightly_and_equal_ones_are_not() -> None:
    """A small version of benchmarks/validate_verdicts.py, over all families together; the table is in docs."""
    n_draws = 3
    said = {
        (family, kind): Counter(verdict(family, kind, draw).limited_by for draw in range(n_draws))
        for family, kinds in PLANTS.items()
        for kind in kinds
        if CAUSES_OF_KIND[kind] and kind != "labels, slowly"
    }
    single = {key: counts for key, counts in said.items() if key[1] in SINGLE}
    right = sum(counts[kind] for (_, kind), counts in single.items())
    named = sum(n_draws - counts["cannot_tell"] for counts in single.values())
    equal = [counts["cannot_tell"] for key, counts in said.items() if key[1] not in SINGLE]
    assert right >= 0.9 * named, said
    assert named >= 0.6 * n_draws * len(single), said
    assert sum(equal) >= 0.8 * n_draws * len(equal), said
