"""Principal coordinates keep inner products, on either side of the Gram matrix."""

import numpy as np
import pytest

from carryover.numerics.principal_axes import principal_coordinates


@pytest.mark.parametrize("shape", [(30, 7), (7, 30), (9, 9)])
def test_inner_products_and_order(shape):
    rows = np.random.default_rng(0).normal(size=shape)
    rows -= rows.mean(axis=0)
    coordinates, energy = principal_coordinates(rows)
    np.testing.assert_allclose(coordinates @ coordinates.T, rows @ rows.T, atol=1e-10)
    np.testing.assert_allclose((coordinates**2).sum(axis=0), energy, rtol=1e-10)
    assert np.all(np.diff(energy) <= 0)
    np.testing.assert_allclose(energy, np.linalg.svd(rows, compute_uv=False)[: len(energy)] ** 2, rtol=1e-9)
    assert len(energy) == np.linalg.matrix_rank(rows)


def test_a_rotation_changes_nothing():
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(20, 5)) * np.arange(1, 6)
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    np.testing.assert_allclose(
        principal_coordinates(rows @ turn)[0], principal_coordinates(rows)[0], atol=1e-9
    )
