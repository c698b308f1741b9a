"""A shrunk linear discriminant between two samples, kept as sums so that it can learn as rows arrive."""

import numpy as np
from jaxtyping import Bool, Float
from scipy.linalg import cho_factor, cho_solve

WIDEST = 1024


class RunningDiscriminant:
    """Linear discriminant of source against target rows, refitted from sums after every addition.

    Scores are log density ratios for two Gaussians with equal covariance, log p_source - log p_target:

        score(x) = (x - (mu_s + mu_t)/2)^T D^-1/2 (C + penalty I)^-1 D^-1/2 (mu_s - mu_t)

    with D the total variances and C the within-class covariance of the features divided by sqrt(D).  Shifting or
    scaling single features changes nothing.  ``reference`` rows fix an origin and a unit for each feature, which
    only keeps the sums accurate.  Features wider than 1,024 are first projected onto as many random directions,
    drawn without looking at the data.  Reference: Hastie, Buja and Tibshirani, Penalized discriminant analysis,
    Ann. Statist. 23 (1995).
    """

    def __init__(self, reference: Float[np.ndarray, "n d"], generator: np.random.Generator) -> None:
        d = reference.shape[1]
        self._origin = reference.mean(axis=0)
        spread, size = reference.std(axis=0), np.abs(self._origin)
        fallback = np.where(size > 0, size, 1.0)
        self._unit = np.where(spread > 1e-12 * size, spread, fallback)
        self._projection = generator.normal(size=(d, WIDEST)) / np.sqrt(d) if d > WIDEST else None
        width = min(d, WIDEST)
        self._counts = np.zeros(2)
        self._sums = np.zeros((2, width))
        self._gram = np.zeros((width, width))

    def place(self, rows: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n w"]:
        """Rows in the coordinates in which the discriminant works."""
        placed = (rows - self._origin) / self._unit
        return placed if self._projection is None else placed @ self._projection

    def add(self, placed: Float[np.ndarray, "n w"], is_source: Bool[np.ndarray, " n"]) -> None:
        """Learn from rows given by :meth:`place`."""
        for sample, chosen in enumerate((is_source, ~is_source)):
            self._counts[sample] += chosen.sum()
            self._sums[sample] += placed[chosen].sum(axis=0)
        self._gram += placed.T @ placed

    def fit(self, penalties: tuple[float, ...]) -> tuple[Float[np.ndarray, "p w"], Float[np.ndarray, " p"]]:
        """Weights and offsets, one row a penalty: score = placed @ weight + offset."""
        means = self._sums / self._counts[:, None]
        n = self._counts.sum()
        within = (self._gram - (means.T * self._counts) @ means) / n
        gap = means[0] - means[1]
        total = np.maximum(np.diag(within), 0) + self._counts.prod() / n**2 * gap**2
        unit = np.sqrt(np.where(total > 0, total, 1.0))
        within /= np.outer(unit, unit)
        weights = np.empty((len(penalties), len(gap)))
        for row, penalty in enumerate(penalties):
            penalised = within.copy()
            penalised[np.diag_indices_from(penalised)] += penalty
            weights[row] = cho_solve(cho_factor(penalised, overwrite_a=True), gap / unit) / unit
        return weights, -weights @ means.mean(axis=0)
