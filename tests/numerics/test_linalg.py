"""Coordinates in an eigenbasis that is never formed."""

import numpy as np
import pytest

from carryover.numerics.linalg import scatter_coordinates, scatter_eigen


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
