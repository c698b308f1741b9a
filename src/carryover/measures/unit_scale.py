"""Features on a scale of their own: centred, with a root mean square of 1 over all entries."""

import numpy as np
from jaxtyping import Float

from carryover._core.checks import check_features
from carryover._core.results import Result

_CONSTANT = 1e-13


def unit_scale(features: Float[np.ndarray, "n d"]) -> Result:
    """``(F - mean) / rms`` with rms^2 = (1/(n d)) sum_ij (F - mean)_ij^2, as the value of a Result.

    The columns keep their relative sizes, so a rotation of the features rotates the value, and a shift
    or a positive factor leaves it as it is.  Fails where no feature varies by more than rounding
    (rms <= 1e-13 of the largest entry).

    >>> unit_scale(np.array([[3.0, 5.0], [5.0, 5.0]])).value
    array([[-1.41421356,  0.        ],
           [ 1.41421356,  0.        ]])
    """
    features = check_features(features)
    largest = float(np.abs(features).max())
    scaled = features / (largest or 1.0)
    centred = scaled - scaled.mean(axis=0)
    rms = float(np.sqrt(np.mean(centred**2)))
    if rms <= _CONSTANT:
        return Result(status="failed", reason="no feature varies between examples: all rows are the same")
    return Result(centred / rms, stats={"rms": rms * (largest or 1.0)})
