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
from carryover.numerics.linalg import CACHE_BLOCK, row_blocks

_CUT = 1e-10  # of the largest singular value of the table of shrinkage factors, whose entries lie in [0, 1]


@dataclass(frozen=True)
class PathWeights:
    """What turns coordinates of rows into leverages and residuals at every penalty."""

    leverage_basis: Float[np.ndarray, "r q"]
    residual_basis: Float[np.ndarray, "r qk"]
    mixing: Float[np.ndarray, "q p"] | None
    subtraction: Float[np.ndarray, "p q1"] | None
    least: Float[np.ndarray, " p"]
    target_mean: Float[np.ndarray, " k"]
    left: bool
    n_classes: int | None
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

    def residuals(self, loaded: Float[np.ndarray, "qk b"], values: np.ndarray) -> Float[np.ndarray, "p k b"]:
        """Residuals e of the fit that includes the row, at each penalty, from the ``loaded`` coordinates
        residual_basis.T @ coordinates.
        """
        k, b = len(self.target_mean), len(values)
        if self.left:
            return loaded.reshape(-1, k, b)
        targets = transposed_targets(values, self.n_classes) - self.target_mean[:, None]
        if self.mixing is None:
            fitted = loaded.reshape(-1, k, b)
            return targets - fitted
        stacked = np.concatenate([loaded.reshape(-1, k * b), targets.reshape(1, -1)])
        return (self.subtraction @ stacked).reshape(-1, k, b)


@dataclass(frozen=True)
class PathErrors:
    """Leave-one-out errors at each penalty, and 1 - h for each row (what the second look needs)."""

    squared_error: Float[np.ndarray, " p"]
    n_correct: Int[np.ndarray, " p"] | None
    one_minus_leverage: Float[np.ndarray, "p n"]


def path_weights(spectrum: FeatureSpectrum, penalties: Float[np.ndarray, " p"]) -> PathWeights:
    """Weights of the whole path.

    The shrinkage factors s / (s + penalty) are smooth in both: where the rows are many, their table is
    replaced by a factorization cut at 1e-10 of its largest, which about halves the work
    and changes a residual by no more than about 1e-10 of its target's spread.
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
        residual_basis=(basis[:, :, None] * loadings[:, None, :]).reshape(len(s), -1),
        mixing=mixing,
        subtraction=None if mixing is None else np.hstack([-mixing.T, np.ones((len(penalties), 1))]),
        least=(1.0 - 1.0 / spectrum.n_rows) * penalties / (s.max(initial=0.0) + penalties),
        target_mean=spectrum.target_mean,
        left=spectrum.left is not None,
        n_classes=None if spectrum.class_counts is None else len(spectrum.class_counts),
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
    The products take a block whole, what is done entry by entry goes by parts that stay in the cache.
    """
    squared, correct, leverages = (
        np.zeros(len(weights.least)),
        np.zeros(len(weights.least), dtype=np.int64),
        [],
    )
    for coordinates, values in blocks:
        loaded = weights.residual_basis.T @ coordinates
        one_minus = weights.one_minus_leverage(coordinates)
        leverages.append(one_minus)
        for part in row_blocks(
            len(values), len(weights.least) * len(weights.target_mean), numbers=CACHE_BLOCK
        ):
            error = weights.residuals(loaded[:, part], values[part])
            scale = one_minus[:, part]
            squared += (np.einsum("pkb,pkb->pb", error, error) / scale**2).sum(axis=1)
            if n_classes is not None:
                own = error[:, values[part], np.arange(error.shape[2])]
                correct += (own - scale < error.min(axis=1)).sum(axis=1)
    return PathErrors(
        squared_error=squared,
        n_correct=correct if n_classes is not None else None,
        one_minus_leverage=np.concatenate(leverages, axis=1),
    )


def transposed_targets(values: np.ndarray, n_classes: int | None) -> Float[np.ndarray, "k b"]:
    """Targets of a block with one column for each row: one-hot columns, or the real targets."""
    if n_classes is None:
        return np.ascontiguousarray(values.T)
    one_hot = np.zeros((n_classes, len(values)))
    one_hot[values, np.arange(len(values))] = 1.0
    return one_hot
