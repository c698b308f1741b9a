"""Reference heads: what they are fitted to, and that a bound's own examples are refused."""

import numpy as np
import pytest

from carryover._core.errors import InputError
from carryover.bounds.heads import PENALTIES, centred_codes, ridge_path, unit_rows
from carryover.bounds.reference_head import (
    ReferenceHead,
    fit_reference_head,
    named_rows,
    no_reference,
    refuse_seen,
)
from carryover.data.hashing import row_hashes


def _sample(n=60, d=4, n_classes=3, seed=0):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, n_classes, n)
    return generator.normal(size=(n_classes, d))[labels] + generator.normal(size=(n, d)), labels


def test_is_one_of_the_ridge_heads_on_rows_of_unit_length():
    features, labels = _sample()
    head = fit_reference_head(features, labels, n_classes=3)
    path = list(ridge_path(unit_rows(features), centred_codes(labels, 3)))
    distances = [np.abs(coefficients - head.coefficients).max() for coefficients, _ in path]
    assert min(distances) < 1e-12 and len(path) == len(PENALTIES)
    assert head.seen == frozenset(row_hashes(features))


def test_fewer_than_three_rows_take_the_largest_penalty():
    features, labels = _sample(2)
    head = fit_reference_head(features, labels, n_classes=3)
    largest = list(ridge_path(unit_rows(features), centred_codes(labels, 3)))[-1]
    np.testing.assert_array_equal(head.coefficients, largest[0])


def test_rows_are_divided_as_the_unit_says():
    features, _ = _sample()
    np.testing.assert_allclose(np.linalg.norm(no_reference(3, 4).rows(features), axis=1), 1)
    given = ReferenceHead(np.ones((3, 4)), np.zeros(3), None, unit=2.0)
    np.testing.assert_array_equal(given.rows(features), features / 2)


def test_seen_examples_are_refused_and_others_are_not():
    head = fit_reference_head(*_sample(), n_classes=3, hashes=[f"h{i}" for i in range(60)])
    refuse_seen(head, ["x", "y"])
    refuse_seen(ReferenceHead(np.ones((3, 4)), np.zeros(3), None), ["h3"])
    refuse_seen(no_reference(3, 4), ["h3"])
    with pytest.raises(
        InputError,
        match="has seen the bound's data: 2 of 3 rows, the first of them row 1, are among the 60 examples",
    ):
        refuse_seen(head, ["x", "h3", "h5"])


def test_misuse_is_named():
    features, labels = _sample()
    with pytest.raises(InputError, match="hashes must have one entry for each of the 60 rows, got 1"):
        named_rows(features, ["a"])
    with pytest.raises(InputError, match="labels must be below n_classes = 2, got 2"):
        fit_reference_head(features, labels, n_classes=2)
    with pytest.raises(
        InputError, match=r"a reference head needs coefficients .* got shapes \(1, 4\) and \(1,\)"
    ):
        ReferenceHead(np.ones((1, 4)), np.ones(1), None)
    with pytest.raises(InputError, match="intercept has 1 values that are NaN or infinite"):
        ReferenceHead(np.ones((2, 4)), np.array([0.0, np.nan]), None)
    for unit in (0.0, np.inf):
        with pytest.raises(InputError, match=f"unit must be a finite number > 0 or None, got {unit}"):
            ReferenceHead(np.ones((2, 4)), np.zeros(2), None, unit=unit)
