"""One eigendecomposition of the centred features, shared by ridge, LogME and the H-score."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from carryover._core.checks import check_features
from carryover.measures.moments import FeatureMoments, block_moments, check_matrix, check_targets, target_rows
from carryover.numerics.linalg import (
    PRODUCT_BLOCK,
    centred_gram_eigen,
    eigenvalue_tolerance,
    scatter_coordinates,
    scatter_eigen,
)


@dataclass(frozen=True)
class FeatureSpectrum:
    """Centred features C (n, d) and targets Y in the eigenbasis of C^T C, or of C C^T where n <= d.

    - ``eigenvalues`` (r,) of the scatter, ascending: all d, or the n - 1 that can be positive where n <= d
    - ``directions`` V (d, r), eigenvectors of C^T C; None where the rows' side was decomposed or nobody needs them
    - ``left`` U (n, r), eigenvectors of C C^T, orthogonal to the vector of ones; None otherwise
    - ``cross`` = V^T C^T (Y - ybar) = sqrt(eigenvalues) U^T (Y - ybar), (r, k)
    - ``left_targets`` = U^T (Y - ybar), (r, k), beside ``left`` (exact also where an eigenvalue is 0)
    - ``mean_coordinates`` = V^T m, and ``mean_null_square`` = ||m||^2 - ||V^T m||^2 over eigenvalues > ``tolerance``
    - ``trace``, ``square`` = ||C^T C||_F^2 and ``fourth_moment`` = sum ||c_i||^4
    - ``centred``: C itself, where it is small enough to be kept for a second pass
    - ``tolerance``: an eigenvalue at or below it is rounding error, not a direction of the features.
    """

    n_rows: int
    n_features: int
    eigenvalues: Float[np.ndarray, " r"]
    tolerance: float
    mean: Float[np.ndarray, " d"]
    mean_coordinates: Float[np.ndarray, " r"]
    mean_null_square: float
    cross: Float[np.ndarray, "r k"]
    target_mean: Float[np.ndarray, " k"]
    target_scatter: Float[np.ndarray, " k"]
    class_counts: Int[np.ndarray, " k"] | None
    trace: float
    square: float
    fourth_moment: float
    directions: Float[np.ndarray, "d r"] | None = None
    left: Float[np.ndarray, "n r"] | None = None
    left_targets: Float[np.ndarray, "r k"] | None = None
    centred: Float[np.ndarray, "n d"] | None = None

    @property
    def rank(self) -> int:
        return int((self.eigenvalues > self.tolerance).sum())

    @property
    def constant(self) -> bool:
        """True where no feature varies."""
        return self.rank == 0


def spectrum_from_moments(moments: FeatureMoments, *, with_directions: bool = True) -> FeatureSpectrum:
    """The spectrum of the scatter (d, d): O(d^3), rows are not needed; ``directions`` only where asked for."""
    vectors = np.column_stack([moments.cross, moments.mean])
    if with_directions:
        eigenvalues, directions = scatter_eigen(moments.scatter)
        coordinates = directions.T @ vectors
    else:
        eigenvalues, coordinates = scatter_coordinates(moments.scatter, vectors)
        directions = None
    if moments.n_rows <= moments.n_features:
        eigenvalues[: moments.n_features - moments.n_rows + 1] = 0.0
    tolerance = eigenvalue_tolerance(float(eigenvalues[-1]), size=len(eigenvalues), n_rows=moments.n_rows)
    mean = coordinates[:, -1]
    null = mean[eigenvalues <= tolerance]
    return FeatureSpectrum(
        n_rows=moments.n_rows,
        n_features=moments.n_features,
        eigenvalues=eigenvalues,
        tolerance=tolerance,
        mean=moments.mean,
        mean_coordinates=mean,
        mean_null_square=float(null @ null),
        cross=coordinates[:, :-1],
        target_mean=moments.target_mean,
        target_scatter=moments.target_scatter,
        class_counts=moments.class_counts,
        trace=float(np.trace(moments.scatter)),
        square=float(np.vdot(moments.scatter, moments.scatter)),
        fourth_moment=moments.fourth_moment,
        directions=directions,
    )


def spectrum_from_rows(
    features: Any, targets: Any, n_classes: int | None = None, *, with_directions: bool = True
) -> FeatureSpectrum:
    """The spectrum from whichever side is smaller: C^T C where n > d, C C^T where n <= d.

    Without ``with_directions`` neither the directions nor the centred rows are kept where n > d.
    Targets as in :meth:`FeatureMoments.from_rows`.  Raises InputError as it does.
    """
    matrix = check_matrix(features)
    if len(matrix) > matrix.shape[1]:
        if matrix.size > PRODUCT_BLOCK:
            moments = FeatureMoments.from_rows(matrix, targets, n_classes)
            return spectrum_from_moments(moments, with_directions=with_directions)
        moments, centred = block_moments(matrix, *check_targets(targets, len(matrix), n_classes))
        spectrum = spectrum_from_moments(moments, with_directions=with_directions)
        return replace(spectrum, centred=centred) if with_directions else spectrum
    matrix = check_features(matrix)
    values, counted = check_targets(targets, len(matrix), n_classes)
    return _spectrum_of_wide(matrix, target_rows(values, counted), counted, values)


def centre(features: Float[np.ndarray, "n d"]) -> tuple[np.ndarray, np.ndarray]:
    """The mean and the centred rows; constant columns become exactly 0 whatever their offset."""
    centred = features - features[0]
    offset = centred.mean(axis=0)
    centred -= offset
    return features[0] + offset, centred


def _spectrum_of_wide(
    matrix: Float[np.ndarray, "n d"], targets: np.ndarray, n_classes: int | None, values: np.ndarray
) -> FeatureSpectrum:
    n, d = matrix.shape
    mean, centred = centre(matrix)
    gram = centred @ centred.T
    eigenvalues, left = centred_gram_eigen(gram) if n > 1 else (np.zeros(0), np.zeros((1, 0)))
    largest = float(eigenvalues[-1]) if n > 1 else 0.0
    tolerance = eigenvalue_tolerance(largest, size=n, n_rows=d)
    kept = eigenvalues > tolerance
    coordinates = np.zeros(len(eigenvalues))
    coordinates[kept] = (left[:, kept].T @ (centred @ mean)) / np.sqrt(eigenvalues[kept])
    target_mean = targets.mean(axis=0)
    target_centred = targets - target_mean
    left_targets = left.T @ target_centred
    square_norms = np.diagonal(gram)
    return FeatureSpectrum(
        n_rows=n,
        n_features=d,
        eigenvalues=eigenvalues,
        tolerance=tolerance,
        mean=mean,
        mean_coordinates=coordinates,
        mean_null_square=max(0.0, float(mean @ mean - coordinates @ coordinates)),
        cross=np.sqrt(eigenvalues)[:, None] * left_targets,
        target_mean=target_mean,
        target_scatter=np.einsum("ij,ij->j", target_centred, target_centred),
        class_counts=None if n_classes is None else np.bincount(values, minlength=n_classes),
        trace=float(square_norms.sum()),
        square=float(np.vdot(gram, gram)),
        fourth_moment=float(square_norms @ square_norms),
        left=left,
        left_targets=left_targets,
    )
