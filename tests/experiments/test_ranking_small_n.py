"""How scores are judged, against counting by hand; draws, and probes."""

from itertools import combinations
from math import sqrt

import numpy as np
import pytest

from carryover._core.errors import InputError
from carryover.experiments.entries.ranking.cells import HeldOut, accuracies_with, label_draws
from carryover.experiments.entries.ranking.metrics import judge
from carryover.experiments.entries.ranking.scores import Pool, judged_columns, our_scores
from carryover.experiments.entries.ranking.specs import (
    EVERY,
    WITH_SOURCE,
    Hub,
    RankingCell,
    Rival,
    Target,
    score_key,
)
from carryover.measures.leep import leep
from carryover.measures.logme import logme
from carryover.measures.ridge import fit_ridge_path


def tau_by_hand(scores, truth):
    """Tau-b: pairs in the same order less pairs in the other, over the root of the untied pairs of each side."""
    pairs = [
        (np.sign(a - b), np.sign(c - d))
        for (a, c), (b, d) in combinations(zip(scores, truth, strict=True), 2)
    ]
    untied = [sum(pair[side] != 0 for pair in pairs) for side in (0, 1)]
    return sum(a * b for a, b in pairs) / sqrt(untied[0] * untied[1])


def cell(**changes) -> RankingCell:
    given = {"target": Target("t", "nowhere"), "hub": Hub((), (), 3), "labels": (4, 8), "draws": 2} | changes
    return RankingCell(**given)


def test_tau_is_that_of_counting_pairs_with_ties():
    generator = np.random.default_rng(0)
    for _ in range(50):
        scores, truth = generator.integers(0, 4, 7).astype(float), generator.random(7)
        assert judge(scores, truth).tau == pytest.approx(tau_by_hand(scores, truth), abs=1e-12)


def test_a_pick_among_equals_is_an_expectation():
    truth = np.array([0.9, 0.5, 0.7, 0.1])
    found = judge(np.array([1.0, 1.0, 0.0, 1.0]), truth)
    assert found.regret == pytest.approx(0.9 - (0.9 + 0.5 + 0.1) / 3) and found.top1 == pytest.approx(1 / 3)
    constant = judge(np.zeros(4), truth)
    assert (constant.tau, constant.top1) == (0.0, 0.25) and constant.regret == pytest.approx(
        0.9 - truth.mean()
    )


def test_a_score_without_a_value_ranks_below_the_others_and_is_counted():
    truth = np.array([0.9, 0.5, 0.7])
    for nothing in (np.nan, np.inf, -np.inf):
        found = judge(np.array([nothing, -1e9, 3.0]), truth)
        assert found.tau == pytest.approx(tau_by_hand([0, 1, 2], truth))
        assert found.regret == pytest.approx(0.2) and (found.top1, found.missing) == (0.0, 1)
    assert judge(np.full(3, np.nan), truth).regret == pytest.approx(0.9 - truth.mean())


def test_what_cannot_be_judged_is_refused():
    with pytest.raises(InputError, match=r"same 2 or more candidates, got \(1,\), \(1,\)"):
        judge(np.ones(1), np.ones(1))
    with pytest.raises(InputError, match=r"got \(2,\), \(3,\)"):
        judge(np.ones(2), np.ones(3))
    with pytest.raises(InputError, match="truth must be finite"):
        judge(np.ones(2), np.array([1.0, np.nan]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": ()}, "labels must be numbers of at least 2"),
        ({"labels": (1, 20)}, "labels must be numbers of at least 2"),
        ({"draws": 1}, "draws must be >= 2, got 1"),
        ({"rivals": (Rival("thuml", "1", 3),)}, r"draws of thuml must lie in \[1, 2\], got 3"),
        ({"rivals": (Rival("thuml", "1", 0),)}, r"draws of thuml must lie in \[1, 2\], got 0"),
    ],
)
def test_a_cell_that_cannot_be_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        cell(**changes)


def test_a_column_without_the_values_to_keep_is_refused():
    with pytest.raises(InputError, match="column and kept go together"):
        Target("t", "nowhere", column="domain")


def test_draws_hold_every_class_and_fewer_labels_are_among_more():
    labels = np.arange(40) % 4
    draws = label_draws(cell(), labels)
    assert list(draws) == [(4, 0), (4, 1), (8, 0), (8, 1)]
    for (n, draw), rows in draws.items():
        assert (np.bincount(labels[rows]) == n // 4).all() and set(draws[4, draw]) <= set(rows)
    assert set(draws[8, 0]) != set(draws[8, 1])
    np.testing.assert_array_equal(draws[8, 1], label_draws(cell(labels=(8,)), labels)[8, 1])


def pool_of(n: int = 24) -> Pool:
    generator = np.random.default_rng(1)
    labels = np.arange(n) % 3
    features = {
        name: (strength * np.eye(3, width)[labels] + generator.normal(size=(n, width))).astype(np.float32)
        for name, strength, width in (("good", 3.0, 4), ("poor", 0.3, 6), ("none", 0.0, 30))
    }
    source = {name: generator.dirichlet(np.ones(5), n) for name in ("good", "poor")}
    return Pool(features, source, labels)


def test_scores_are_those_of_the_measures_on_the_labelled_rows():
    pool, rows = pool_of(), np.arange(3, 18)
    found = our_scores(pool, {(15, 0): rows}, seed=0)
    expected = [
        logme(rows_of[rows].astype(float), pool.labels[rows]).value for rows_of in pool.features.values()
    ]
    np.testing.assert_allclose(found[EVERY, "logme"][15, 0], expected, rtol=1e-12)
    np.testing.assert_allclose(found[WITH_SOURCE, "logme"][15, 0], expected[:2], rtol=1e-12)
    expected = [leep(source[rows], pool.labels[rows]).value for source in pool.source.values()]
    np.testing.assert_allclose(found[WITH_SOURCE, "leep"][15, 0], expected, rtol=1e-12)
    assert (EVERY, "leep") not in found
    np.testing.assert_array_equal(found[EVERY, "width"][15, 0], [4, 6, 30])


def test_columns_are_means_over_draws_against_both_truths():
    pool = pool_of()
    values = {(15, 0): np.array([3.0, 2.0, 1.0]), (15, 1): np.array([1.0, 2.0, 3.0])}
    truth = {"good": 0.9, "poor": 0.6, "none": 0.4}
    row = judged_columns(
        {(EVERY, "s"): values}, pool, truth=truth, at_n={(15, 0): truth, (15, 1): {**truth, "none": 0.95}}
    )
    expected = {"tau": 0.0, "regret": 0.25, "top1": 0.5, "tau_at_n": (1 + 1 / 3) / 2, "top1_at_n": 1.0}
    expected |= {"regret_at_n": 0.0, "tau_std_error": 1.0, "missing": 0.0, "draws": 2}
    assert {key: row[score_key(EVERY, "s", 15, key)] for key in expected} == pytest.approx(expected)
    assert (
        judged_columns({(WITH_SOURCE, "s"): {}}, Pool(pool.features, {}, pool.labels), truth=truth, at_n={})
        == {}
    )


def test_the_probe_with_few_labels_is_the_ridge_probe_on_those_rows():
    pool, rows = pool_of(60), np.arange(0, 45)
    other = pool_of(90)
    held_out = HeldOut({name: features[60:] for name, features in other.features.items()}, other.labels[60:])
    found = accuracies_with(rows, pool, held_out)
    for name, features in pool.features.items():
        probe = fit_ridge_path(features[rows].astype(float), pool.labels[rows], n_classes=3)
        predicted = probe.predict_scores(held_out.features[name].astype(float)).argmax(axis=1)
        assert found[name] == (predicted == held_out.labels).mean()
    assert found["good"] > 0.8
