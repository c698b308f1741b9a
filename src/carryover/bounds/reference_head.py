"""A linear head that may serve as a prior's mean, and the names of the examples it was fitted to."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Num

from carryover._core.checks import check_features
from carryover._core.errors import InputError
from carryover.bounds.base import check_sample
from carryover.bounds.heads import fit_ridge_head, unit_rows
from carryover.data.hashing import overlap, row_hashes


@dataclass(frozen=True)
class ReferenceHead:
    """The head argmax(W r + b) on rows r of features, fixed before the sample of the bound.

    ``coefficients`` (K, d), ``intercept`` (K,).  ``unit`` None: each row of features is divided by its own length;
    a number: all are divided by it (say the root mean square length of the rows the head was fitted to).  W and b
    act on the divided rows.  ``seen`` holds the content hashes of the examples that the head, its unit and all
    choices about it were made from; None where they are not known, which a bound reports as not checkable.
    Raises InputError for shapes that disagree, values that are not finite or a unit that is not > 0.
    """

    coefficients: Float[np.ndarray, "k d"]
    intercept: Float[np.ndarray, " k"]
    seen: frozenset[str] | None
    unit: float | None = None

    def __post_init__(self) -> None:
        check_features(self.coefficients, "coefficients")
        if len(self.coefficients) < 2 or self.intercept.shape != self.coefficients.shape[:1]:
            raise InputError(
                "a reference head needs coefficients (K, d) with K >= 2 and an intercept (K,), "
                f"got shapes {self.coefficients.shape} and {self.intercept.shape}"
            )
        check_features(self.intercept[None], "intercept")
        if self.unit is not None and not 0 < self.unit < math.inf:
            raise InputError(f"unit must be a finite number > 0 or None, got {self.unit}")

    def rows(self, features: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
        """The rows that the head acts on."""
        return unit_rows(features) if self.unit is None else features / self.unit


def no_reference(n_classes: int, n_features: int) -> ReferenceHead:
    """The head of zeros, which has seen nothing: a data-free prior.

    >>> no_reference(2, 3).coefficients.shape
    (2, 3)
    """
    return ReferenceHead(np.zeros((n_classes, n_features)), np.zeros(n_classes), frozenset())


def fit_reference_head(
    features: Num[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    *,
    n_classes: int,
    hashes: Iterable[str] | None = None,
) -> ReferenceHead:
    """Ridge regression on rows of unit length, its penalty chosen by the errors on every third row.

    The head of the best penalty is fitted again to all rows.  ``hashes`` names the examples (default: a hash of
    each row of features as given); a bound refuses them in its own sample.
    Raises InputError for data that cannot be used or hashes of another number than rows.
    """
    features, labels = check_sample(features, labels, n_classes)
    seen = frozenset(named_rows(features, hashes))
    coefficients, intercept = fit_ridge_head(unit_rows(features), labels, n_classes=n_classes)
    return ReferenceHead(coefficients, intercept, seen)


def named_rows(features: np.ndarray, hashes: Iterable[str] | None) -> list[str]:
    """The hashes given, one a row, or those of the rows themselves."""
    names = row_hashes(features) if hashes is None else list(hashes)
    if len(names) != len(features):
        raise InputError(f"hashes must have one entry for each of the {len(features)} rows, got {len(names)}")
    return names


def refuse_seen(reference: ReferenceHead, names: list[str]) -> None:
    """Raises InputError where the reference head has seen an example of the bound's sample."""
    if reference.seen is None:
        return
    shared = overlap(names, sorted(reference.seen))
    if shared.n_shared:
        raise InputError(
            f"the prior has seen the bound's data: {shared.n_rows_a} of {len(names)} rows, the first of them "
            f"row {shared.pairs[0][0]}, are among the {len(reference.seen)} examples that the reference head was "
            "fitted to; give it one part of the examples and the bound the other"
        )
