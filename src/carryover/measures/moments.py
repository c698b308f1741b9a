"""Sums over rows from which the linear measures are computed, mergeable over shards."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Num
from scipy.sparse import csr_array

from carryover._core.checks import check_features, check_labels
from carryover._core.errors import InputError
from carryover.numerics.linalg import row_blocks


@dataclass(frozen=True)
class FeatureMoments:
    """Sufficient statistics of rows (x_i, y_i), centred at the rows' own mean.

    With c_i = x_i - m and m the mean of the features (a pair of vectors, ``mean`` and the rounding error
    ``mean_residual``, so that a large common offset costs no digits):

    - ``scatter`` = sum c_i c_i^T, (d, d);  ``cross`` = sum c_i (y_i - ybar)^T, (d, k)
    - ``cubed`` = sum ||c_i||^2 c_i, (d,);  ``fourth_moment`` = sum ||c_i||^4 (what Ledoit-Wolf needs)
    - ``target_mean`` (k,), ``target_scatter`` (k,) = sum (y_ik - ybar_k)^2
    - ``class_counts`` (k,) for class labels, whose y_i is the one-hot row; None for regression.

    :meth:`merge` of any shards equals :meth:`from_rows` of the whole up to rounding (tested to 1e-10 relative).
    Merging follows Chan, Golub and LeVeque, *Updating formulae and a pairwise algorithm for computing sample
    variances* (1979), extended to the third and fourth powers of the norm.
    """

    n_rows: int
    mean: Float[np.ndarray, " d"]
    mean_residual: Float[np.ndarray, " d"]
    scatter: Float[np.ndarray, "d d"]
    cubed: Float[np.ndarray, " d"]
    fourth_moment: float
    cross: Float[np.ndarray, "d k"]
    target_mean: Float[np.ndarray, " k"]
    target_scatter: Float[np.ndarray, " k"]
    class_counts: Int[np.ndarray, " k"] | None

    @property
    def n_features(self) -> int:
        return len(self.mean)

    @property
    def n_targets(self) -> int:
        return len(self.target_mean)

    @classmethod
    def from_rows(cls, features: Any, targets: Any, n_classes: int | None = None) -> "FeatureMoments":
        """Moments of features (n, d) and targets: class codes (n,) or real values (n,) or (n, k).

        Integer targets are class codes (``n_classes`` says how many there are, where these rows may lack
        some); floating targets are regression targets.  float32 features are summed in float64, a block
        at a time.  Raises InputError for anything that is not finite or does not fit.

        >>> FeatureMoments.from_rows([[1.0], [3.0]], [0, 1]).scatter
        array([[2.]])
        """
        matrix = check_matrix(features)
        values, counted = check_targets(targets, len(matrix), n_classes)
        total: FeatureMoments | None = None
        for rows in row_blocks(*matrix.shape):
            block, _ = block_moments(matrix[rows], values[rows], counted)
            total = block if total is None else _accumulate(total, block)
        assert total is not None  # a matrix has rows: checked above
        return total

    def merge(self, other: "FeatureMoments") -> "FeatureMoments":
        """Moments of both sets of rows together; raises InputError where the two do not belong together."""
        if (self.n_features, self.n_targets) != (other.n_features, other.n_targets):
            raise InputError(
                f"other must have {self.n_features} features and {self.n_targets} targets or classes, "
                f"got {other.n_features} and {other.n_targets}"
            )
        if (self.class_counts is None) != (other.class_counts is None):
            raise InputError(
                "other must have targets of the same kind: one has class labels, one real values"
            )
        return _accumulate(replace(self, scatter=self.scatter.copy()), other)


def check_matrix(features: Any) -> np.ndarray:
    """A real matrix (n, d) of float32 or float64, not copied; finiteness is read off its sums later."""
    array = np.asarray(features)
    if array.ndim != 2 or 0 in array.shape or array.dtype not in (np.float32, np.float64):
        return check_features(features)
    return array


def check_targets(targets: Any, n: int, n_classes: int | None) -> tuple[np.ndarray, int | None]:
    """Class codes (n,) with their number, or real targets (n, k) with None."""
    array = np.asarray(targets)
    if n_classes is not None or np.issubdtype(array.dtype, np.integer):
        codes = check_labels(array, n, name="targets")
        present = int(codes.max()) + 1 if n else 0
        if n_classes is not None and present > n_classes:
            raise InputError(
                f"targets must lie in 0..{n_classes - 1} (n_classes={n_classes}), got {present - 1}"
            )
        return codes, present if n_classes is None else n_classes
    values = check_features(array[:, None] if array.ndim == 1 else array, name="targets")
    if len(values) != n:
        raise InputError(f"targets must have one row for each of the {n} rows of features, got {len(values)}")
    return values, None


def target_rows(values: np.ndarray, n_classes: int | None) -> Float[np.ndarray, "n k"]:
    """Targets as a matrix: one-hot rows of class codes, or the real targets as they are."""
    if n_classes is None:
        return values
    one_hot = np.zeros((len(values), n_classes))
    one_hot[np.arange(len(values)), values] = 1.0
    return one_hot


def block_moments(
    rows: Num[np.ndarray, "n d"], values: np.ndarray, n_classes: int | None
) -> tuple[FeatureMoments, Float[np.ndarray, "n d"]]:
    """Moments of checked rows that fit in memory, and the rows centred."""
    n = len(rows)
    with np.errstate(over="ignore", invalid="ignore"):  # looked for in the sums, and told with its row
        mean, centred, scatter = _centred_rows(rows)
        square_norms = np.einsum("ij,ij->i", centred, centred)
        fourth = float(square_norms @ square_norms)
    if not np.isfinite(fourth):
        check_features(rows)
        raise InputError("features are so large that their fourth powers overflow: divide them by a constant")
    target_mean, target_scatter, cross = _target_sums(centred, values, n_classes)
    moments = FeatureMoments(
        n_rows=n,
        mean=mean[0],
        mean_residual=mean[1],
        scatter=scatter,
        cubed=square_norms @ centred,
        fourth_moment=fourth,
        cross=cross,
        target_mean=target_mean,
        target_scatter=target_scatter,
        class_counts=None if n_classes is None else np.bincount(values, minlength=n_classes),
    )
    return moments, centred


def _target_sums(
    centred: Float[np.ndarray, "n d"], values: np.ndarray, n_classes: int | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and scatter of the targets, and their cross scatter with the rows; for classes from class sums."""
    n = len(centred)
    if n_classes is None:
        mean = values.mean(axis=0)
        targets = values - mean
        return mean, np.einsum("ij,ij->j", targets, targets), centred.T @ targets
    mean = np.bincount(values, minlength=n_classes) / n
    one_hot = csr_array((np.ones(n), (values, np.arange(n))), shape=(n_classes, n))
    sums = one_hot @ centred
    return mean, n * mean * (1.0 - mean), (sums - np.outer(mean, sums.sum(axis=0))).T


def _centred_rows(
    rows: Num[np.ndarray, "n d"],
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray, np.ndarray]:
    """The mean with what rounding lost, the centred rows and their scatter.

    The rows are moved to a point within rounding of the mean (the first row's own value where a column may be
    constant, so that it becomes exactly 0), and once more where what is left of the mean can be seen.
    """
    n = len(rows)
    ones = np.ones(n)
    mean, first = ones @ rows.astype(np.float64, copy=False) / n, rows[0].astype(np.float64)
    origin = np.where(np.abs(mean - first) <= 1e-12 * np.abs(first), first, mean)
    centred = rows - origin
    left = ones @ centred / n
    scatter = centred.T @ centred
    if (n * left**2 > 1e-24 * np.diagonal(scatter)).any():
        centred -= left
        scatter = centred.T @ centred
    return _two_sum(origin, left), centred, scatter


def _accumulate(left: FeatureMoments, right: FeatureMoments) -> FeatureMoments:
    """Merge; the scatter of ``left`` is reused for the sum."""
    n, share = left.n_rows + right.n_rows, right.n_rows / (left.n_rows + right.n_rows)
    step = (right.mean - left.mean) + (right.mean_residual - left.mean_residual)
    target_step = right.target_mean - left.target_mean
    weight = left.n_rows * share
    mean, residual = _two_sum(left.mean, left.mean_residual + share * step)
    first, second = _translated(left, share * step), _translated(right, (share - 1.0) * step)
    scatter = left.scatter
    scatter += right.scatter
    scatter += np.outer(weight * step, step)
    counts = None if left.class_counts is None else left.class_counts + right.class_counts
    return FeatureMoments(
        n_rows=n,
        mean=mean,
        mean_residual=residual,
        scatter=scatter,
        cubed=first[0] + second[0],
        fourth_moment=first[1] + second[1],
        cross=left.cross + right.cross + np.outer(weight * step, target_step),
        target_mean=left.target_mean + share * target_step,
        target_scatter=left.target_scatter + right.target_scatter + weight * target_step**2,
        class_counts=counts,
    )


def _translated(part: FeatureMoments, shift: Float[np.ndarray, " d"]) -> tuple[np.ndarray, float]:
    """sum ||c - shift||^2 (c - shift) and sum ||c - shift||^4, expanded in the moments about the mean."""
    spread, image, square = float(np.trace(part.scatter)), part.scatter @ shift, float(shift @ shift)
    cubed = part.cubed - shift * (spread + part.n_rows * square) - 2.0 * image
    fourth = part.fourth_moment - 4.0 * float(part.cubed @ shift) + 4.0 * float(shift @ image)
    return cubed, fourth + 2.0 * square * spread + part.n_rows * square**2


def _two_sum(large: np.ndarray, small: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rounded sum and what rounding lost (Knuth's TwoSum)."""
    total = large + small
    part = total - large
    return total, (large - (total - part)) + (small - part)
