"""Planted tasks have the parts of the error that their kind says, and refuse unknown names."""

import numpy as np
import pytest

from carryover._core.errors import InputError
from carryover.data.planted import CAUSES_OF_KIND, PLANTS, planted_task, true_decomposition

KINDS = [(family, kind) for family, kinds in PLANTS.items() for kind in kinds]


@pytest.mark.parametrize(("family", "kind"), KINDS)
def test_the_truth_is_as_planted(family: str, kind: str) -> None:
    """By simulation, with fewer points than in docs/verdict.md."""
    parts = []
    for draw in range(2):
        generator = np.random.default_rng(draw)
        task = planted_task(family, kind, generator=generator)
        parts.append(
            true_decomposition(
                task.law,
                len(task.train_labels),
                generator=generator,
                n_unlimited=4000,
                n_test=3000,
            )
        )
    mean = {
        name: np.mean([getattr(part, name) for part in parts])
        for name in ("labels", "representation", "domain")
    }
    total, causes = sum(mean.values()), CAUSES_OF_KIND[kind]
    if not causes:
        assert total < 0.02
    elif len(causes) == 1:
        assert mean[causes[0]] > 0.65 * total
    else:
        first, second = (mean[cause] for cause in causes)
        third = total - first - second
        assert max(first, second) < 1.5 * min(first, second) and third < min(first, second)


def test_a_task_is_a_function_of_its_generator() -> None:
    first, second = (
        planted_task("clustered_units", "domain", generator=np.random.default_rng(3)) for _ in range(2)
    )
    np.testing.assert_array_equal(first.train_features, second.train_features)
    np.testing.assert_array_equal(first.pretraining_features, second.pretraining_features)


def test_near_points_are_those_of_the_pretraining_law() -> None:
    task = planted_task("gaussian_classes", "domain", generator=np.random.default_rng(0))
    features, labels, is_near = task.law.draw(4000, np.random.default_rng(1))
    assert abs(is_near.mean() - 0.65) < 0.03
    np.testing.assert_allclose(
        features[is_near].mean(axis=0),
        task.law.draw_pretraining(4000, np.random.default_rng(2)).mean(axis=0),
        atol=0.3,
    )
    assert np.linalg.norm(features[~is_near].mean(axis=0) - features[is_near].mean(axis=0)) > 3
    assert set(labels) == {0, 1, 2, 3}


def test_unknown_names_are_refused() -> None:
    with pytest.raises(InputError, match="did you mean 'hidden_teacher'"):
        planted_task("hidden_teachers", "none", generator=np.random.default_rng(0))
    with pytest.raises(InputError, match="kind 'label' is not known in gaussian_classes"):
        planted_task("gaussian_classes", "label", generator=np.random.default_rng(0))
