"""Cases: what is in two samples is judged in one only, halves share nothing, and who is judged on what is said."""

import numpy as np
import pytest
from gaussian_case import draw, gaussian_case

from carryover._core.errors import InputError
from carryover.bounding.case import classifier_case, sample_of


def _constant(rows):
    return np.zeros(len(rows), dtype=np.int64)


def test_test_examples_that_are_training_examples_are_left_out_and_said():
    features, labels = draw(60, seed=0)
    others, their_labels = draw(30, seed=1)
    test = sample_of(np.vstack([features[:7], others]), np.concatenate([labels[:7], their_labels]))
    case = classifier_case(sample_of(features, labels), test, n_classes=3, predict=_constant)
    assert len(case.test) == 30 and np.array_equal(case.test.features, others)
    assert case.notes == ("7 of 37 test examples are training examples too and were left out.",)
    assert len(case.predicted_test) == len(case.predicted_unlabelled) == 30


def test_nothing_left_to_judge_on_is_an_error():
    sample = sample_of(*draw(60, seed=0))
    with pytest.raises(InputError, match="every test example is a training example too"):
        classifier_case(sample, sample, n_classes=3, predict=_constant)


def test_the_halves_share_no_example_even_where_examples_repeat():
    features, labels = draw(60, seed=0)
    twice = sample_of(np.vstack([features, features]), np.concatenate([labels, labels]))
    case = classifier_case(twice, sample_of(*draw(30, seed=1)), n_classes=3, predict=_constant)
    prior, rest = case.halves
    assert set(prior.hashes).isdisjoint(rest.hashes) and len(rest) < len(prior) == 60
    assert case.reference.seen == frozenset(prior.hashes)


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


def test_the_unlabelled_sample_is_used_where_there_is_one():
    pool, _ = draw(50, seed=5)
    given = gaussian_case(unlabelled=pool)
    assert "50 examples of the unlabelled sample" in given.unlabelled_words
    assert len(given.predicted_unlabelled) == 50
    without = gaussian_case()
    assert "600 test examples, without their labels" in without.unlabelled_words
    assert np.array_equal(without.predicted_unlabelled, without.predicted_test)
