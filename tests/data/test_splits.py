import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carryover._core.errors import InputError
from carryover._core.seeding import derive_generator
from carryover.data.splits import make_split, stratified_subset

class_counts = st.lists(st.integers(2, 40), min_size=2, max_size=6)


def _labels(counts, seed=0):
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))


@given(class_counts, st.floats(0.05, 0.95), st.integers(0, 5))
def test_split_is_a_partition_in_proportion_with_every_class_on_both_sides(counts, fraction, seed):
    labels = _labels(counts)
    split = make_split(labels, generator=derive_generator(seed), test_fraction=fraction)
    assert sorted([*split.train, *split.test]) == list(range(len(labels)))
    n_test = np.bincount(labels[split.test], minlength=len(counts))
    assert (n_test >= 1).all()
    assert (n_test < counts).all()
    wanted = np.clip(fraction * np.array(counts), 1, np.array(counts) - 1)
    assert np.abs(n_test - wanted).max() <= 0.5 + 1e-9
    again = make_split(labels, generator=derive_generator(seed), test_fraction=fraction)
    assert (again.test == split.test).all()


def test_every_example_is_tested_equally_often():
    labels = np.repeat([0, 1], [8, 16])
    hits = np.zeros(24)
    for seed in range(400):
        hits[make_split(labels, generator=derive_generator(seed)).test] += 1
    assert np.abs(hits / 400 - 0.25).max() < 5 * np.sqrt(0.25 * 0.75 / 400)


def test_regression_split_has_every_decile_in_proportion():
    values = np.random.default_rng(0).standard_normal(400)
    split = make_split(values, generator=derive_generator(0))
    decile = np.argsort(np.argsort(values))[split.test] // 40
    assert np.bincount(decile).tolist() == [10] * 10
    assert "stratified by quantiles" in split.sentence


def test_the_sentence_states_the_numbers():
    split = make_split(_labels([30, 10]), generator=derive_generator(0))
    assert split.sentence == (
        "30 examples train and 10 test (25%): seeded and stratified, each of the 2 classes on both sides."
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_grouped_split_separates_groups_and_covers_classes(seed):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 30, 300)
    labels = (groups + rng.integers(0, 2, 300)) % 3
    split = make_split(labels, generator=rng, groups=groups)
    assert not set(groups[split.train]) & set(groups[split.test])
    assert len(split.train) + len(split.test) == 300
    assert set(labels[split.train]) == set(labels[split.test]) == {0, 1, 2}
    wanted = 0.25 * np.bincount(labels)
    assert np.abs(np.bincount(labels[split.test]) - wanted).max() <= 6
    assert "by group" in split.sentence


def test_grouped_split_is_among_the_best_hundredth_of_all_assignments():
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(12), rng.integers(3, 15, 12))
    labels = rng.integers(0, 3, len(groups))
    table = np.zeros((12, 3))
    np.add.at(table, (groups, labels), 1)
    totals = table.sum(axis=0)
    masks = (np.arange(1, 2**12 - 1)[:, None] >> np.arange(12)) & 1
    every = (((masks @ table - 0.25 * totals) ** 2) / totals).sum(axis=1)
    test = make_split(labels, generator=derive_generator(0), groups=groups).test
    found = ((np.bincount(labels[test], minlength=3) - 0.25 * totals) ** 2 / totals).sum()
    assert found <= np.quantile(every, 0.01)


def test_grouped_split_of_a_regression_target():
    rng = np.random.default_rng(0)
    groups = np.array([f"patient {i}" for i in rng.integers(0, 20, 200)])
    split = make_split(rng.standard_normal(200), generator=rng, groups=groups)
    assert not set(groups[split.train]) & set(groups[split.test])
    assert 35 <= len(split.test) <= 65


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (
            [0, 0, 1],
            {},
            r"classes with one example cannot be on both sides of a split \(codes 1\): drop or merge",
        ),
        ([0, 0, 1, 1], {"test_fraction": 1.0}, r"test_fraction must lie in \(0, 1\), got 1.0"),
        ([0, 0, 1, 1], {"groups": np.arange(3)}, "groups must have one entry for each of the 4"),
        ([0, 0, 1, 1], {"groups": np.zeros(4)}, "all examples belong to one group"),
        ([0, 0, 1, 1], {"groups": np.array([0, 1, 2, 2])}, r"in one group only .*\(codes 1\)"),
        ([0, 1, 2, 0, 1, 2], {"groups": np.array([0, 0, 1, 1, 2, 2])}, "no grouped split with every class"),
        ([], {}, "labels are empty"),
        ([0.5], {}, "at least 2 floats"),
        (["a", "b"], {}, "must be integer class codes"),
    ],
)
def test_splits_that_cannot_be_made_say_why(labels, options, message):
    array = np.array(labels, dtype=np.int64) if not labels else np.array(labels)
    with pytest.raises(InputError, match=message):
        make_split(array, generator=derive_generator(0), **options)


@given(class_counts, st.integers(0, 5), st.data())
def test_subsets_are_nested_cover_the_classes_and_keep_proportions(counts, seed, data):
    labels = _labels(counts)
    n_big = data.draw(st.integers(len(counts), len(labels)))
    n_small = data.draw(st.integers(len(counts), n_big))
    big = stratified_subset(labels, n_big, generator=derive_generator(seed))
    small = stratified_subset(labels, n_small, generator=derive_generator(seed))
    assert len(set(big)) == n_big
    assert set(small) <= set(big)
    found = np.bincount(labels[small], minlength=len(counts))
    assert (found >= 1).all()
    wanted = n_small * np.array(counts) / len(labels)
    # The first of each class comes out of turn, and rounding may move every class by one.
    assert (found - wanted).max() <= 1 + len(counts) / 2


def test_balanced_classes_give_balanced_subsets():
    labels = np.tile(np.arange(20), 100)
    for n in (100, 500):
        chosen = stratified_subset(labels, n, generator=derive_generator(0))
        assert set(np.bincount(labels[chosen])) == {n // 20}


def test_grouped_subsets_are_nested_and_use_few_groups():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(50), 10)
    labels = rng.integers(0, 3, 500)
    small = stratified_subset(labels, 40, generator=derive_generator(1), groups=groups)
    big = stratified_subset(labels, 200, generator=derive_generator(1), groups=groups)
    assert set(small) <= set(big)
    assert set(labels[small]) == {0, 1, 2}
    assert len(set(groups[small])) <= 7
    assert len(set(groups[big])) <= 21


def test_regression_subsets_are_nested_and_spread():
    values = np.random.default_rng(0).standard_normal(300)
    small = stratified_subset(values, 30, generator=derive_generator(1))
    assert set(small) <= set(stratified_subset(values, 100, generator=derive_generator(1)))
    assert np.bincount(np.argsort(np.argsort(values))[small] // 30).tolist() == [3] * 10


@pytest.mark.parametrize("n", [2, 13])
def test_subset_sizes_out_of_range_are_refused(n):
    with pytest.raises(
        InputError, match=rf"n_labels must lie in \[3, 12\] \(at least one for each of the 3.*got {n}"
    ):
        stratified_subset(_labels([4, 4, 4]), n, generator=derive_generator(0))
