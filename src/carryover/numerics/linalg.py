"""Linear algebra on blocks of rows: sizes that stay in cache, and eigendecompositions of scatter matrices."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float
from scipy.linalg import lapack

PRODUCT_BLOCK = (
    1 << 22
)  # numbers in a block that is multiplied (32 MiB): long enough for the fastest products
CACHE_BLOCK = 1 << 17  # numbers in a block that is worked on entry by entry (1 MiB): stays in the cache


def row_blocks(n_rows: int, numbers_per_row: int, *, numbers: int = PRODUCT_BLOCK) -> Iterator[slice]:
    """Slices that cover 0..n_rows in order, each of at most ``numbers`` numbers but at least 64 rows.

    >>> list(row_blocks(5, 10))
    [slice(0, 5, None)]
    """
    rows = max(64, numbers // max(1, numbers_per_row))
    for start in range(0, n_rows, rows):
        yield slice(start, min(start + rows, n_rows))


def eigenvalue_tolerance(largest: float, *, size: int, n_rows: int) -> float:
    """Below this an eigenvalue of a scatter matrix is rounding error: eps (size + sqrt(n_rows)) largest.

    ``size`` is the order of the matrix that was decomposed, ``n_rows`` the number of terms summed into it.
    """
    return float(np.finfo(np.float64).eps * (size + np.sqrt(n_rows)) * largest)


def scatter_eigen(
    scatter: Float[np.ndarray, "d d"],
) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, "d d"]]:
    """Eigenvalues (ascending, negative rounding set to 0) and orthonormal eigenvectors (columns) of X^T X.

    >>> scatter_eigen(np.diag([4.0, 1.0]))[0]
    array([1., 4.])
    """
    eigenvalues, vectors = np.linalg.eigh(scatter)
    return np.maximum(eigenvalues, 0.0), vectors


def scatter_coordinates(
    scatter: Float[np.ndarray, "d d"], vectors: Float[np.ndarray, "d k"]
) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, "d k"]]:
    """Eigenvalues of X^T X as :func:`scatter_eigen` has them, and the vectors' coordinates V^T vectors.

    The eigenvectors themselves are never formed: vectors are taken through the reflections that make the scatter
    tridiagonal, and then through the eigenvectors of the tridiagonal matrix, which spares about a fifth of the time.

    >>> eigenvalues, coordinates = scatter_coordinates(np.diag([4.0, 1.0]), np.array([[2.0], [0.0]]))
    >>> eigenvalues, abs(coordinates).ravel()
    (array([1., 4.]), array([0., 2.]))
    """
    d = len(scatter)
    if d < 3:
        eigenvalues, directions = scatter_eigen(scatter)
        return eigenvalues, directions.T @ vectors
    work = int(lapack.dsytrd_lwork(d, lower=1)[0])
    reduced, diagonal, below, factors, failed = lapack.dsytrd(
        np.asfortranarray(scatter), lower=1, lwork=work, overwrite_a=0
    )
    turned = np.array(vectors, order="F")
    turned[1:], _, failed_turn = lapack.dormqr(
        "L", "T", reduced[1:, :-1], factors, np.asfortranarray(vectors[1:]), lwork=64 * vectors.shape[1]
    )
    eigenvalues, directions, failed_eigen = lapack.dstevd(diagonal, below, compute_v=1)
    if failed or failed_turn or failed_eigen:
        raise np.linalg.LinAlgError("the eigendecomposition of a scatter matrix did not converge")
    return np.maximum(eigenvalues, 0.0), directions.T @ turned


def centred_gram_eigen(
    gram: Float[np.ndarray, "n n"],
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, "n m"]]:
    """The n - 1 eigenpairs of X X^T that are orthogonal to the vector of ones, where X has centred columns.

    The null direction 1/sqrt(n) is moved to the top of the spectrum (its eigenvalue becomes the trace) before
    the decomposition.  Left at zero it would mix with other null directions, and the vectors kept would
    no longer be orthogonal to the intercept.

    >>> centred_gram_eigen(np.array([[1.0, -1.0], [-1.0, 1.0]]))[0]
    array([2.])
    """
    n, trace = len(gram), float(np.trace(gram))
    eigenvalues, vectors = np.linalg.eigh(gram + (2.0 * trace or 1.0) / n)
    return np.maximum(eigenvalues[:-1], 0.0) * (trace != 0.0), vectors[:, :-1]


def gram_product(first: Float[np.ndarray, "n d1"], second: Float[np.ndarray, "n d2"]) -> float:
    """<X X^T, Y Y^T>_F = ||X^T Y||_F^2, from the (d1, d2) or the two (n, n) matrices, whichever are the fewer numbers.

    >>> gram_product(np.array([[1.0], [2.0]]), np.array([[3.0], [1.0]]))
    25.0
    """
    n, d1, d2 = *first.shape, second.shape[1]
    if d1 * d2 <= 2 * n * n:
        cross = first.T @ second
        return float(np.vdot(cross, cross))
    return float(np.vdot(first @ first.T, second @ second.T))
