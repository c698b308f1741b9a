"""Laws whose true risks are finite sums, and how many violations of a bound chance permits."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from carryover.bounds.pac_bayes import gibbs_error

RISK = 0.05


@dataclass(frozen=True)
class Law:
    """P(cell m, class k) as a table; the features of cell m are the m-th unit vector."""

    table: np.ndarray

    def draw(self, n, generator):
        flat = generator.choice(self.table.size, size=n, p=self.table.ravel())
        cells, labels = np.unravel_index(flat, self.table.shape)
        return np.eye(len(self.table))[cells], labels

    def error_of(self, predictions):
        """True error rate of a rule that gives one class to each cell."""
        return 1 - self.table[np.arange(len(self.table)), predictions].sum()

    def gibbs_error_of(self, stats):
        """True error rate of the noisy head, from its error on every cell and class.  Rows with their constant
        have length sqrt 2, by which the scores are divided to make the noise standard."""
        scores = (stats["coefficients"].T + stats["intercept"]) / np.sqrt(2)
        cells, classes = np.indices(self.table.shape)
        errors = gibbs_error(scores[cells.ravel()], classes.ravel(), noise_std=stats["noise_std"])
        return float(self.table.ravel() @ errors)


def finite_law(cells, n_classes, *, certainty):
    """Equally likely cells; each has one class with probability ``certainty``, the others share the rest."""
    table = np.full((cells, n_classes), (1 - certainty) / (n_classes - 1))
    table[np.arange(cells), np.arange(cells) % n_classes] = certainty
    return Law(table / cells)


def permitted(draws):
    return binom.ppf(0.999, draws, RISK)
