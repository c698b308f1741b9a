"""LEEP: how well the labels are predicted through the classes of the model's own source head."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from carryover._core.checks import check_features, check_labels
from carryover._core.errors import InputError
from carryover._core.results import Result

_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class LeepTable:
    """Sums over examples of source probabilities by class: sums[y, z] = sum over i with y_i = y of theta_z(x_i).

    Tables of disjoint sets of examples are merged by adding; LEEP and NCE need no more of the first pass.
    """

    sums: Float[np.ndarray, "K Z"]
    n: int

    @classmethod
    def from_rows(
        cls,
        source_probabilities: Float[np.ndarray, "n Z"],
        labels: Int[np.ndarray, " n"],
        *,
        n_classes: int | None = None,
    ) -> "LeepTable":
        """The table of these rows; ``n_classes`` is needed where some shard may lack the last class."""
        probabilities = check_probabilities(source_probabilities)
        labels = check_labels(labels, len(probabilities))
        n_classes = int(labels.max()) + 1 if n_classes is None else n_classes
        if labels.max() >= n_classes:
            raise InputError(f"labels must be < n_classes = {n_classes}, got {int(labels.max())}")
        members = np.zeros((n_classes, len(labels)))
        members[labels, np.arange(len(labels))] = 1.0
        return cls(members @ probabilities, len(labels))

    def merge(self, other: "LeepTable") -> "LeepTable":
        """The table of both sets of examples."""
        if self.sums.shape != other.sums.shape:
            raise InputError(
                f"tables must have the same classes, got shapes {self.sums.shape} and {other.sums.shape}: "
                "give every shard the same n_classes"
            )
        return LeepTable(self.sums + other.sums, self.n + other.n)

    def conditional(self) -> Float[np.ndarray, "K Z"]:
        """P(y | z) = sums[y, z] / sum over y; 0 where source class z is never predicted."""
        mass = self.sums.sum(axis=0)
        return np.divide(self.sums, mass, out=np.zeros_like(self.sums), where=mass > 0)

    def log_likelihoods(
        self, source_probabilities: Float[np.ndarray, "n Z"], labels: Int[np.ndarray, " n"]
    ) -> Float[np.ndarray, " n"]:
        """log sum_z P(y_i | z) theta_z(x_i) of each row: the second pass, whose mean is LEEP."""
        conditional = self.conditional()
        predicted = np.einsum("iz,iz->i", source_probabilities, conditional[labels])
        # Only a label that the table never saw has probability 0, up to an underflow of theta^2.
        return np.log(np.maximum(predicted, np.finfo(np.float64).tiny))


def check_probabilities(source_probabilities: Float[np.ndarray, "n Z"]) -> Float[np.ndarray, "n Z"]:
    """Rows of probabilities as float64; raises InputError where a row is negative or does not sum to 1 within 1e-3."""
    probabilities = check_features(source_probabilities, "source_probabilities")
    if probabilities.min() < 0:
        row = int(np.flatnonzero(probabilities.min(axis=1) < 0)[0])
        raise InputError(f"source_probabilities must be >= 0, got {probabilities.min()}, first in row {row}")
    totals = probabilities.sum(axis=1)
    wrong = np.flatnonzero(np.abs(totals - 1) > _SUM_TOLERANCE)
    if len(wrong):
        raise InputError(
            f"each row of source_probabilities must sum to 1 within {_SUM_TOLERANCE}, row {int(wrong[0])} sums "
            f"to {totals[wrong[0]]:.6g}: give the softmax of the source head, not its logits"
        )
    return probabilities


def leep(source_probabilities: Float[np.ndarray, "n Z"], labels: Int[np.ndarray, " n"]) -> Result:
    """LEEP = (1/n) sum_i log sum_z P(y_i | z) theta_z(x_i), theta the source probabilities; <= 0, higher is better.

    P(y | z) = P(y, z) / P(z) with P(y, z) = (1/n) sum_i 1[y_i = y] theta_z(x_i).  A source class of mass 0
    takes no part.  Unchanged by permuting examples, target classes or source classes.
    Reference: Nguyen, Hassner, Seeger, Archambeau, *LEEP*, ICML 2020, eqs. 1-2.
    Raises InputError where rows are not probabilities (within 1e-3) or lengths differ.

    >>> leep(np.eye(2)[[0, 1, 1]], np.array([0, 1, 1])).value
    0.0
    """
    probabilities = check_probabilities(source_probabilities)
    labels = check_labels(labels, len(probabilities))
    table = LeepTable.from_rows(probabilities, labels)
    return Result(float(table.log_likelihoods(probabilities, labels).mean()))
