"""Rows in the coordinates of their principal axes, from the Gram matrix of the smaller side."""

import numpy as np
from jaxtyping import Float
from scipy.linalg import eigh


def principal_coordinates(
    centred: Float[np.ndarray, "n d"],
) -> tuple[Float[np.ndarray, "n r"], Float[np.ndarray, " r"]]:
    """Z V with Z^T Z = V diag(energy) V^T, energies descending, r the numerical rank (energy > 1e-12 of the largest).

    Inner products between rows are kept: (Z V)(Z V)^T = Z Z^T up to what is cut.  The sign of an axis is
    fixed by making its coordinate of largest size positive.  ``centred`` must not be all zero.

    >>> principal_coordinates(np.array([[0.0, 2.0], [0.0, -2.0]]))[0]
    array([[ 2.],
           [-2.]])
    """
    n, d = centred.shape
    gram = centred.T @ centred if d <= n else centred @ centred.T
    energy, axes = eigh(gram, check_finite=False, overwrite_a=True, driver="evd")
    energy, axes = energy[::-1], axes[:, ::-1]
    rank = int((energy > 1e-12 * energy[0]).sum())
    energy, axes = energy[:rank].copy(), axes[:, :rank]
    coordinates = centred @ axes if d <= n else axes * np.sqrt(energy)
    extreme = coordinates[np.abs(coordinates).argmax(axis=0), np.arange(rank)]
    return coordinates * np.sign(extreme), energy
