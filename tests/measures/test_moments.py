"""Moments of merged shards are those of the whole; each field is what its definition says."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from carryover._core.errors import InputError
from carryover.measures.moments import FeatureMoments


def _data(seed: int, n: int = 90, d: int = 7) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    features = generator.standard_t(5, size=(n, d)) * np.logspace(0, 1, d)
    return features, generator.integers(0, 3, n)


def _same(first: FeatureMoments, second: FeatureMoments, tolerance: float = 1e-10) -> None:
    for field in fields(FeatureMoments):
        a, b = getattr(first, field.name), getattr(second, field.name)
        if field.name == "mean_residual" or a is None:
            continue
        scale = np.max(np.abs(b))
        assert np.max(np.abs(np.asarray(a) - b)) <= tolerance * scale, field.name


def test_each_field_is_its_definition():
    features, labels = _data(0)
    moments = FeatureMoments.from_rows(features, labels)
    centred, targets = features - features.mean(axis=0), np.eye(3)[labels]
    norms = (centred**2).sum(axis=1)
    np.testing.assert_allclose(moments.mean, features.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.scatter, centred.T @ centred, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(moments.cubed, norms @ centred, rtol=1e-8)
    np.testing.assert_allclose(moments.fourth_moment, (norms**2).sum(), rtol=1e-12)
    np.testing.assert_allclose(
        moments.cross, centred.T @ (targets - targets.mean(axis=0)), rtol=1e-9, atol=1e-9
    )
    np.testing.assert_allclose(moments.target_scatter, ((targets - targets.mean(axis=0)) ** 2).sum(axis=0))
    assert moments.class_counts.tolist() == np.bincount(labels).tolist()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    cuts=st.lists(st.integers(1, 89), max_size=5, unique=True),
    scale=st.sampled_from([1e-8, 1.0, 1e8]),
    offset=st.sampled_from([0.0, 1.0, 1e4, 1e6]),
    real=st.booleans(),
)
@example(seed=6120, cuts=[18], scale=1e-8, offset=1e6, real=True)
def test_merged_shards_are_the_whole(seed, cuts, scale, offset, real):
    features, labels = _data(seed)
    features = (features + offset) * scale
    targets = labels + 0.5 * features[:, 0] / scale if real else labels
    n_classes = None if real else 3
    parts = [
        FeatureMoments.from_rows(part, some, n_classes)
        for part, some in zip(
            np.split(features, sorted(cuts)), np.split(np.asarray(targets), sorted(cuts)), strict=True
        )
    ]
    merged = parts[0]
    for part in parts[1:]:
        merged = merged.merge(part)
    rounding = (
        16 * np.finfo(np.float64).eps * offset
    )  # of rows that lie so far from 0, in units of their spread
    _same(merged, FeatureMoments.from_rows(features, targets, n_classes), max(1e-10, rounding))


def test_blocks_inside_one_call_do_not_show():
    features, labels = _data(1, n=9000, d=20)
    halves = FeatureMoments.from_rows(features[:4567], labels[:4567]).merge(
        FeatureMoments.from_rows(features[4567:], labels[4567:])
    )
    _same(halves, FeatureMoments.from_rows(features, labels))


def test_merge_leaves_its_arguments_alone():
    features, labels = _data(2)
    first = FeatureMoments.from_rows(features[:40], labels[:40])
    before = first.scatter.copy()
    first.merge(FeatureMoments.from_rows(features[40:], labels[40:]))
    assert np.array_equal(first.scatter, before)


def test_float32_rows_are_summed_in_float64():
    features, labels = _data(3, n=5000)
    single = features.astype(np.float32)
    _same(
        FeatureMoments.from_rows(single, labels),
        FeatureMoments.from_rows(single.astype(np.float64), labels),
        1e-13,
    )


@pytest.mark.parametrize("offset", [0.1, 1e8 / 3, -7.7e-9])
def test_a_constant_column_has_no_scatter_at_all(offset):
    features, labels = _data(4, n=1000)
    features[:, 2] = offset
    moments = FeatureMoments.from_rows(features, labels)
    assert moments.scatter[2, 2] == 0.0
    assert moments.mean[2] == offset


def test_what_does_not_fit_is_named():
    features, labels = _data(5)
    moments = FeatureMoments.from_rows(features, labels)
    with pytest.raises(InputError, match="7 features and 3 targets or classes, got 6"):
        moments.merge(FeatureMoments.from_rows(features[:, :6], labels))
    with pytest.raises(InputError, match="targets of the same kind"):
        moments.merge(FeatureMoments.from_rows(features, np.ones((90, 3))))
    with pytest.raises(InputError, match=r"targets must lie in 0\.\.1"):
        FeatureMoments.from_rows(features, labels, 2)
    with pytest.raises(InputError, match="one row for each of the 90"):
        FeatureMoments.from_rows(features, np.ones(5))
    with pytest.raises(InputError, match="1 values that are NaN or infinite, the first in row 3"):
        FeatureMoments.from_rows(
            np.where(np.arange(90)[:, None] * 7 + np.arange(7) == 23, np.nan, features), labels
        )
    with pytest.raises(InputError, match="fourth powers overflow"):
        FeatureMoments.from_rows(np.full((90, 2), 1e300) * np.arange(90)[:, None], labels)
