"""Two sets of features of the same examples: checked, centred, and on a scale where nothing overflows."""

from typing import Any

import numpy as np
from jaxtyping import Float

from carryover._core.checks import check_features
from carryover._core.errors import InputError
from carryover._core.results import Result
from carryover.measures.unit_scale import unit_scale


def check_rows(features: Any, name: str = "features", *, least: int = 2) -> Float[np.ndarray, "n d"]:
    """A finite float64 matrix with at least ``least`` rows; raises InputError otherwise."""
    matrix = check_features(features, name)
    if len(matrix) < least:
        raise InputError(f"{name} must have at least {least} rows, got {len(matrix)}")
    return matrix


def centred_pair(first: Any, second: Any, *, least: int) -> Result:
    """Both (n, d1) and (n, d2) centred with root mean square 1, as a pair; failed where one does not vary.

    Raises InputError where the rows are not finite, fewer than ``least`` or not equally many.
    """
    first, second = check_rows(first, "first", least=least), check_rows(second, "second", least=least)
    if len(first) != len(second):
        raise InputError(
            f"first and second must be features of the same examples, got {len(first)} and {len(second)} rows"
        )
    scaled = [unit_scale(first), unit_scale(second)]
    for name, one in zip(("first", "second"), scaled, strict=True):
        if not one.ok:
            return Result(status="failed", reason=f"{name}: {one.reason}")
    return Result((scaled[0].value, scaled[1].value))
