"""What every bound takes and says: the assumptions on the sample, the checks, and the record at the end."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from carryover._core.checks import check_features, check_labels, check_range
from carryover._core.errors import InputError
from carryover._core.results import Assumption, Bound

_LARGEST_ERROR_RATE = 1.0
DATA_SHARES = Assumption(
    "The class shares of the law are those of this data set: its labels were drawn or split class by class.",
    "not_checkable",
)
"""What a bound takes for granted where class counts were fixed, so that examples are no plain draws from one law."""


def sample_assumptions(
    n: int, *, groups: np.ndarray | None, representation_independent: bool | None, sample: str
) -> tuple[Assumption, ...]:
    """Independent draws, and a representation that was chosen without them: what all the bounds here rest on.

    ``groups`` that repeat violate independence.  ``representation_independent``: True where it was checked that
    no row of the ``sample`` served to choose the representation, False where one did, None where nobody knows.
    """
    if groups is not None and len(groups) != n:
        raise InputError(f"groups must have one entry for each of the {n} rows, got {len(groups)}")
    repeated = groups is not None and len(np.unique(groups)) < n
    draws = f"The {sample} examples are independent draws from one law, the one the error rate refers to."
    if repeated:
        draws += " Here several come from one group, so that the stated confidence does not hold."
    state = {True: "checked", False: "violated", None: "not_checkable"}[representation_independent]
    return (
        Assumption(draws, "violated" if repeated else "not_checkable"),
        Assumption(f"The representation was chosen without the {sample} examples.", state),
    )


def check_confidence(confidence: float) -> float:
    """The risk 1 - confidence that the bound is allowed to fail with; refuses confidences outside (0, 1)."""
    return 1.0 - check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)


def check_sample(
    features: Any, labels: Any, n_classes: int
) -> tuple[Float[np.ndarray, "n d"], Int[np.ndarray, " n"]]:
    """Finite features with as many class codes 0..n_classes-1."""
    features = check_features(features)
    labels = check_labels(labels, len(features))
    if n_classes < 2:
        raise InputError(f"n_classes must be at least 2, got {n_classes}")
    if labels.max() >= n_classes:
        raise InputError(f"labels must be below n_classes = {n_classes}, got {int(labels.max())}")
    return features, labels


def error_bound(
    terms: Mapping[str, float],
    *,
    confidence: float,
    assumptions: tuple[Assumption, ...],
    bounded: str,
    stats: Mapping[str, Any],
) -> Bound:
    """The record of a bound on an error rate: the sum of its terms, vacuous from 1 on."""
    value = float(sum(terms.values()))
    return Bound(
        value=value,
        confidence=confidence,
        terms=dict(terms),
        assumptions=assumptions,
        vacuous=value >= _LARGEST_ERROR_RATE - 1e-12,
        bounded=bounded,
        stats=dict(stats),
    )
