"""Exact leave-one-out residuals of ridge regression for a whole path of penalties, a block of rows at a time.

With centred rows c, eigenvalues s, directions V and p = V^T c, the fit that includes row i leaves the
residual e_i and has the leverage h_i (the intercept's 1/n included):

    h_i = 1/n + sum_j p_ij^2 / (s_j + penalty),    e_i = y_i - ybar - sum_j p_ij cross_j / (s_j + penalty),

and the fit without row i predicts it as y_i - e_i / (1 - h_i) (Allen, Technometrics 1974; Golub, Heath and
Wahba, Technometrics 1979; the intercept is refitted too).  Where n <= d both are written with the left
singular vectors U, which together with 1/sqrt(n) are a whole basis, so that nothing cancels as h_i
approaches 1:

    1 - h_i = sum_j U_ij^2 penalty / (s_j + penalty),    e_i = sum_j U_ij (U^T y)_j penalty / (s_j + penalty).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from carryover.measures.spectrum import FeatureSpectrum

_CUT = 1e-11  # of the largest singular value of the table of shrinkage factors, whose entries lie in [0, 1]


@dataclass(frozen=True)
class PathWeights:
    """What turns coordinates of rows into leverages and residuals at every penalty."""

    leverage_basis: Float[np.ndarray, "r q"]
    residual_basis: Float[np.ndarray, "r kq"]
    mixing: Float[np.ndarray, "q p"] | None
    least: Float[np.ndarray, " p"]
    target_mean: Float[np.ndarray, " k"]
    left: bool
    n_rows: int

    def one_minus_leverage(self, coordinates: Float[np.ndarray, "r b"]) -> Float[np.ndarray, "p b"]:
        """1 - h for each penalty and each row of the block, never below (1 - 1/n) penalty / (s_max + penalty).

        That is its least possible value; rounding alone could go below it.
        """
        part = self.leverage_basis.T @ np.square(coordinates)
        if self.mixing is not None:
            part = self.mixing.T @ part
        one_minus = part if self.left else (1.0 - 1.0 / self.n_rows) - part
        return np.maximum(one_minus, self.least[:, None])

    def residuals(
        self, coordinates: Float[np.ndarray, "r b"], targets: Float[np.ndarray, "k b"]
    ) -> Float[np.ndarray, "k p b"]:
        """Residuals e of the fit that includes the row, for each target, penalty and row of the block."""
        k, b = targets.shape
        part = (self.residual_basis.T @ coordinates).reshape(k, -1, b)
        if self.mixing is not None:
            part = np.matmul(self.mixing.T, part)
        if self.left:
            return part
        return np.subtract((targets - self.target_mean[:, None])[:, None, :], part, out=part)


@dataclass(frozen=True)
class PathErrors:
    """Leave-one-out errors at each penalty, and 1 - h for each row (what the second look needs)."""

    squared_error: Float[np.ndarray, " p"]
    n_correct: Int[np.ndarray, " p"] | None
    one_minus_leverage: Float[np.ndarray, "p n"]


def path_weights(spectrum: FeatureSpectrum, penalties: Float[np.ndarray, " p"]) -> PathWeights:
    """Weights of the whole path.

    The shrinkage factors s / (s + penalty) are smooth in both: where the rows are many, their table is
    replaced by a factorization cut at 1e-11 of its largest, which about halves the work
    and changes a residual by no more than about 1e-11 of its target's spread.
    """
    s = spectrum.eigenvalues[:, None]
    mixing = None
    if spectrum.left is not None:
        basis = penalties / (s + penalties)
        loadings = spectrum.left_targets
    elif spectrum.rank < len(s) or spectrum.n_rows < 4 * spectrum.n_features // 3:
        basis, loadings = 1.0 / (s + penalties), spectrum.cross
    else:
        basis, mixing = _factored(s / (s + penalties))
        basis, loadings = basis / s, spectrum.cross
    return PathWeights(
        leverage_basis=basis,
        residual_basis=(loadings[:, :, None] * basis[:, None, :]).reshape(len(s), -1),
        mixing=mixing,
        least=(1.0 - 1.0 / spectrum.n_rows) * penalties / (s.max(initial=0.0) + penalties),
        target_mean=spectrum.target_mean,
        left=spectrum.left is not None,
        n_rows=spectrum.n_rows,
    )


def _factored(table: Float[np.ndarray, "r p"]) -> tuple[np.ndarray, np.ndarray]:
    left, sizes, right = np.linalg.svd(table, full_matrices=False)
    kept = int((sizes > _CUT * sizes[0]).sum())
    return left[:, :kept] * sizes[:kept], right[:kept]


def path_errors(
    weights: PathWeights,
    blocks: Iterable[tuple[Float[np.ndarray, "r b"], np.ndarray]],
    *,
    n_classes: int | None,
) -> PathErrors:
    """Sum the leave-one-out errors over blocks of (coordinates, class codes or targets).

    A class label counts as predicted where its leave-one-out score is above all others: with
    scores y - e / (1 - h), where e_label - (1 - h) is below the least residual of the row.
    """
    squared, correct, leverages = [], [], []
    for coordinates, values in blocks:
        one_minus = weights.one_minus_leverage(coordinates)
        targets = transposed_targets(values, n_classes)
        error = weights.residuals(coordinates, targets)
        squared.append((np.einsum("kpb,kpb->pb", error, error) / one_minus**2).sum(axis=1))
        if n_classes is not None:
            own = error[values, :, np.arange(len(values))].T
            correct.append((own - one_minus < error.min(axis=0)).sum(axis=1))
        leverages.append(one_minus)
    return PathErrors(
        squared_error=np.sum(squared, axis=0),
        n_correct=np.sum(correct, axis=0) if n_classes is not None else None,
        one_minus_leverage=np.concatenate(leverages, axis=1),
    )


def transposed_targets(values: np.ndarray, n_classes: int | None) -> Float[np.ndarray, "k b"]:
    """Targets of a block with one column for each row: one-hot columns, or the real targets."""
    if n_classes is None:
        return np.ascontiguousarray(values.T)
    one_hot = np.zeros((n_classes, len(values)))
    one_hot[values, np.arange(len(values))] = 1.0
    return one_hot
