"""Coordinates in an eigenbasis that is never formed."""

import numpy as np
import pytest

from carryover.numerics.linalg import centred_gram_eigen, gram_product, scatter_coordinates, scatter_eigen


@pytest.mark.parametrize("d", [1, 2, 3, 17, 130])
def test_coordinates_are_those_of_the_eigenvectors(d):
    generator = np.random.default_rng(d)
    rows = generator.normal(size=(d + 5, d)) * generator.lognormal(sigma=2.0, size=d)
    scatter, vectors = rows.T @ rows, generator.normal(size=(d, 4))
    eigenvalues, coordinates = scatter_coordinates(scatter, vectors)
    expected, directions = scatter_eigen(scatter)
    np.testing.assert_allclose(eigenvalues, expected, rtol=0, atol=1e-13 * expected[-1])
    np.testing.assert_allclose(abs(coordinates), abs(directions.T @ vectors), rtol=1e-7, atol=1e-8)
    # An orthogonal map: inner products stay, and the scatter becomes its eigenvalues.
    np.testing.assert_allclose(coordinates.T @ coordinates, vectors.T @ vectors, rtol=1e-11)
    _, image = scatter_coordinates(scatter, scatter @ vectors)
    np.testing.assert_allclose(image.T @ coordinates, vectors.T @ scatter @ vectors, rtol=1e-9)


def test_a_scatter_of_lower_rank_keeps_its_zeros():
    rows = np.random.default_rng(0).normal(size=(3, 6))
    eigenvalues, coordinates = scatter_coordinates(rows.T @ rows, rows.T)
    assert (eigenvalues >= 0.0).all()
    np.testing.assert_allclose(eigenvalues[:3], 0.0, atol=1e-13)
    np.testing.assert_allclose(coordinates[:3], 0.0, atol=1e-7)


@pytest.mark.parametrize(("n", "d1", "d2"), [(30, 2, 3), (4, 20, 30), (5, 5, 10)])
def test_product_of_gram_matrices_from_either_side(n, d1, d2):
    generator = np.random.default_rng(n)
    first, second = generator.normal(size=(n, d1)), generator.normal(size=(n, d2))
    expected = np.trace(first @ first.T @ second @ second.T)
    assert gram_product(first, second) == pytest.approx(expected, rel=1e-12)


def test_vectors_of_a_centred_gram_matrix_are_orthogonal_to_ones_even_where_it_is_zero():
    rows = np.random.default_rng(0).normal(size=(6, 2))
    for gram in (np.zeros((6, 6)), (rows - rows.mean(axis=0)) @ (rows - rows.mean(axis=0)).T):
        eigenvalues, vectors = centred_gram_eigen(gram)
        np.testing.assert_allclose(vectors.T @ vectors, np.eye(5), atol=1e-12)
        np.testing.assert_allclose(vectors.sum(axis=0), 0.0, atol=1e-12)
        np.testing.assert_allclose(vectors * eigenvalues @ vectors.T, gram, atol=1e-12)
