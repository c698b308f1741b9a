"""Half-samples keep what they promise, and the jackknife of a mean is the textbook's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carryover._core.errors import InputError
from carryover.numerics.montecarlo import half_subsamples, jackknife_estimate


def _labels(sizes):
    return np.repeat(np.arange(len(sizes)), sizes)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=6).filter(lambda s: sum(s) > 1), st.integers(0, 2**32)
)
def test_classes_are_halved_without_replacement(sizes, seed):
    labels = np.random.default_rng(seed).permutation(_labels(sizes))
    for rows in half_subsamples(labels, n_draws=4, generator=np.random.default_rng(seed)):
        assert np.all(np.diff(rows) > 0)
        counts = np.bincount(labels[rows], minlength=len(sizes))
        for count, size in zip(counts, sizes, strict=True):
            assert count == size / 2 if size % 2 == 0 else count in (max(size // 2, 1), size // 2 + 1)


def test_expected_size_is_half_and_each_row_as_likely():
    labels = _labels([5, 7, 4, 3])
    kept = np.zeros(len(labels))
    draws = half_subsamples(labels, n_draws=8000, generator=np.random.default_rng(1))
    for rows in draws:
        kept[rows] += 1
    assert {len(rows) for rows in draws} <= {9, 10}
    np.testing.assert_allclose(kept / 8000, 0.5, atol=5 * 0.5 / np.sqrt(8000))


@pytest.mark.parametrize("fraction", [0.2, 0.9])
def test_another_fraction_is_kept_on_average(fraction):
    labels = _labels([11, 25, 18])
    draws = half_subsamples(labels, fraction=fraction, n_draws=4000, generator=np.random.default_rng(2))
    counts = np.array([np.bincount(labels[rows]) for rows in draws])
    np.testing.assert_allclose(counts.mean(axis=0), fraction * np.array([11, 25, 18]), atol=0.05)


def test_groups_stay_whole_and_classes_present():
    rng = np.random.default_rng(3)
    groups = rng.integers(0, 12, 90)
    labels = (groups % 3).astype(np.int64)
    labels[groups == 4] = 3  # a class in a single group
    names = np.unique(groups)
    for rows in half_subsamples(labels, groups=groups, n_draws=40, generator=rng):
        inside = np.unique(groups[rows])
        assert len(rows) == np.isin(groups, inside).sum()
        assert len(np.unique(labels[rows])) == 4
        assert abs(len(inside) - len(names) / 2) <= 1


def test_without_labels_there_is_one_stratum():
    (rows,) = half_subsamples(None, n_examples=11, n_draws=1, generator=np.random.default_rng(0))
    assert len(rows) in (5, 6)
    (rows,) = half_subsamples(
        None, groups=np.array(list("aabbcc")), n_draws=1, generator=np.random.default_rng(0)
    )
    assert len(rows) in (2, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": None}, "n_examples must be given"),
        ({"labels": np.array([0])}, "at least 2 examples, got 1"),
        ({"labels": np.array([0, 1]), "groups": np.array([1, 2, 3])}, "groups must be a vector of length 2"),
        ({"labels": np.array([0, 1]), "groups": np.array([1, 1])}, "at least 2 groups"),
        ({"labels": np.array([0, 1]), "n_draws": 0}, "n_draws must lie in"),
        ({"labels": np.array([0, 1]), "fraction": 1.0}, "fraction must lie in"),
    ],
)
def test_misuse_is_named(arguments, message):
    labels = arguments.pop("labels")
    with pytest.raises(InputError, match=message):
        half_subsamples(labels, generator=np.random.default_rng(0), **arguments)


def test_the_mean_gets_the_textbook_standard_error():
    x = np.random.default_rng(4).normal(size=40)
    draws = half_subsamples(None, n_examples=40, n_draws=6_000, generator=np.random.default_rng(5))
    estimate = jackknife_estimate(x.mean(), [x[rows].mean() for rows in draws], n=40, subsample_size=20)
    assert estimate.std_error == pytest.approx(x.std(ddof=1) / np.sqrt(40), rel=0.04)
    low, high = estimate.interval
    assert (low + high) / 2 == pytest.approx(x.mean())
    assert (high - low) / 2 == pytest.approx(1.96 * estimate.std_error, rel=1e-3)


def test_nine_tenths_give_the_same_standard_error():
    x = np.random.default_rng(4).normal(size=40)
    draws = half_subsamples(
        None, n_examples=40, n_draws=6_000, fraction=0.9, generator=np.random.default_rng(5)
    )
    estimate = jackknife_estimate(x.mean(), [x[rows].mean() for rows in draws], n=40, subsample_size=36)
    assert estimate.std_error == pytest.approx(x.std(ddof=1) / np.sqrt(40), rel=0.04)


def test_few_or_equal_values_give_no_interval():
    few = jackknife_estimate(1.0, [1.0, 2.0], n=10, subsample_size=5)
    assert few.ok and few.interval is None and "only 2 subsamples" in few.reason
    equal = jackknife_estimate(1.0, [1.0] * 9, n=10, subsample_size=5)
    assert equal.ok and equal.interval is None and "the same value" in equal.reason
    with pytest.raises(InputError, match="subsample_size must lie in"):
        jackknife_estimate(1.0, [1.0] * 9, n=10, subsample_size=10)
    with pytest.raises(InputError, match="confidence must lie in"):
        jackknife_estimate(1.0, [1.0] * 9, n=10, subsample_size=5, confidence=1.0)
