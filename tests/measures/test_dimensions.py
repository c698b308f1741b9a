"""Participation ratio and shared dimensions: exact projectors, eigenvalues as an oracle, invariances, refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carryover._core.errors import InputError
from carryover.measures.dimensions import participation_ratio, shared_dimensions


def _directions(n: int, r: int) -> np.ndarray:
    """Orthonormal columns (n, r), orthogonal to the vector of ones: their Gram matrix is a centred projector."""
    rows = np.column_stack([np.ones(n), np.random.default_rng(n).normal(size=(n, r))])
    return np.linalg.qr(rows)[0][:, 1:]


def _by_matrices(first: np.ndarray, second: np.ndarray) -> float:
    grams = []
    for rows in (first, second):
        centring = np.eye(len(rows)) - 1 / len(rows)
        gram = centring @ rows @ rows.T @ centring
        grams.append(gram / np.trace(gram))
    ratios = [1 / np.trace(gram @ gram) for gram in grams]
    return ratios[0] * ratios[1] * np.trace(grams[0] @ grams[1])


def test_nested_projectors_share_all_of_the_smaller_one():
    basis = _directions(60, 20)
    found = shared_dimensions(3.0 * basis + 2.0, basis[:, :5])
    assert found.stats["participation_first"] == pytest.approx(20.0, rel=1e-10)
    assert found.stats["participation_second"] == pytest.approx(5.0, rel=1e-10)
    assert found.value == pytest.approx(5.0, rel=1e-10)
    assert found.stats["share"] == pytest.approx(1.0, rel=1e-10)


def test_disjoint_projectors_share_nothing():
    basis = _directions(60, 25)
    found = shared_dimensions(basis[:, :20], basis[:, 20:])
    assert abs(found.value) < 1e-12 and abs(found.stats["share"]) < 1e-12


@pytest.mark.parametrize(("n", "d"), [(30, 4), (10, 50)])
def test_participation_ratio_is_that_of_the_covariance(n, d):
    rows = np.random.default_rng(d).normal(size=(n, d)) * np.linspace(1, 3, d) + 10.0
    eigenvalues = np.linalg.eigvalsh(np.atleast_2d(np.cov(rows.T)))
    assert participation_ratio(rows).value == pytest.approx(
        eigenvalues.sum() ** 2 / (eigenvalues**2).sum(), rel=1e-9
    )


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.sampled_from([(8, 3, 5), (8, 20, 4), (7, 30, 30)]), st.floats(1e-8, 1e8))
def test_shared_dimensions_are_the_definition_and_invariant(seed, shape, scale):
    n, d1, d2 = shape
    generator = np.random.default_rng(seed)
    first, second = generator.normal(size=(n, d1)), generator.normal(size=(n, d2))
    value = shared_dimensions(first, second).value
    assert value == pytest.approx(_by_matrices(first, second), rel=1e-9)
    assert shared_dimensions(second, first).value == pytest.approx(value, rel=1e-9)
    turn = np.linalg.qr(generator.normal(size=(d1, d1)))[0]
    assert shared_dimensions(scale * (first @ turn + 1.0), second).value == pytest.approx(value, rel=1e-6)


def test_constant_features_fail():
    assert "no feature varies" in participation_ratio(np.ones((3, 2))).reason
    assert "second: no feature varies" in shared_dimensions(np.eye(3), np.ones((3, 2))).reason


def test_misuse_is_named():
    with pytest.raises(InputError, match="at least 2 rows, got 1"):
        participation_ratio([[1.0, 2.0]])
    with pytest.raises(InputError, match="same examples, got 3 and 2 rows"):
        shared_dimensions(np.eye(3), np.eye(2))
    with pytest.raises(InputError, match="features has 1 values that are NaN"):
        participation_ratio([[1.0], [np.nan]])
