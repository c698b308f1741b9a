"""Cases: what is in two samples is judged in one only, halves share nothing, and who is judged on what is said."""

import numpy as np
import pytest
from gaussian_case import draw, gaussian_case

from carryover._core.errors import InputError
from carryover.bounding.case import Known, Pool, classifier_case, sample_of


def _constant(rows):
    return np.zeros(len(rows), dtype=np.int64)


def test_test_examples_that_are_training_examples_are_left_out_and_said():
    features, labels = draw(60, seed=0)
    others, their_labels = draw(30, seed=1)
    test = sample_of(np.vstack([features[:7], others]), np.concatenate([labels[:7], their_labels]))
    case = classifier_case(sample_of(features, labels), test, n_classes=3, predict=_constant)
    assert len(case.test) == 30 and np.array_equal(case.test.features, others)
    assert case.notes == ("7 of 37 test examples are training examples too and were left out.",)
    assert len(case.predicted_test) == len(case.predicted_pool) == 30 and case.n_left_out == 7
    assert case.test_is_apart.state == "violated" and "7 of 37" in case.test_is_apart.text


def test_nothing_left_to_judge_on_is_an_error():
    sample = sample_of(*draw(60, seed=0))
    with pytest.raises(InputError, match="every test example is a training example too"):
        classifier_case(sample, sample, n_classes=3, predict=_constant)


def test_rows_of_one_content_are_one_group_and_stay_on_one_side():
    features, labels = draw(60, seed=0)
    twice = sample_of(np.vstack([features, features]), np.concatenate([labels, labels]))
    assert twice.has_groups and len(np.unique(twice.groups)) == 60
    case = classifier_case(twice, sample_of(*draw(30, seed=1)), n_classes=3, predict=_constant)
    prior, rest = case.halves
    assert set(prior.hashes).isdisjoint(rest.hashes) and len(prior) == len(rest) == 60
    assert case.reference.seen == frozenset(prior.hashes)


def test_groups_that_share_a_content_become_one():
    features, labels = draw(6, seed=0)
    features[3] = features[0]
    found = sample_of(features, labels, groups=np.array([0, 0, 1, 2, 2, 3]))
    assert len(np.unique(found.groups)) == 3 and len({*found.groups[[0, 1, 3, 4]]}) == 1
    assert not sample_of(*draw(6, seed=0)).has_groups


def test_the_halves_are_not_stratified():
    """Given the first half's class counts, those of the second must not be known."""
    labels = np.arange(200) % 2
    features = np.random.default_rng(0).normal(size=(200, 3))
    counts = set()
    for seed in range(20):
        case = classifier_case(
            sample_of(features, labels), sample_of(*draw(30, seed=1, width=3)), n_classes=3,
            predict=_constant, seed=seed,
        )  # fmt: skip
        counts.add(int(case.halves[0].labels.sum()))
    assert len(counts) > 5


def test_groups_stay_whole_in_the_halves():
    features, labels = draw(120, seed=0)
    groups = np.arange(120) // 6
    case = classifier_case(
        sample_of(features, labels, groups=groups),
        sample_of(*draw(30, seed=1)),
        n_classes=3,
        predict=_constant,
    )
    prior, rest = case.halves
    assert set(prior.groups).isdisjoint(rest.groups) and len(prior) + len(rest) == 120


def test_the_pool_is_used_where_there_is_one():
    pool = Pool(draw(50, seed=5)[0], "fifty others", independent=True)
    given = gaussian_case(pool=pool)
    assert given.pool.words == "fifty others" and len(given.predicted_pool) == 50
    without = gaussian_case(known=Known(without_test=True))
    assert without.pool.words == "the 600 test examples, without their labels"
    assert without.pool.independent and np.array_equal(without.predicted_pool, without.predicted_test)
