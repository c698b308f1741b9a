"""Scores that follow from sums over all rows, where the rows were too many to hold."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from carryover._core.results import Estimate
from carryover.measures.hscore import h_score_from_moments
from carryover.measures.logme import logme_from_moments
from carryover.measures.moments import FeatureMoments
from carryover.measures.ridge import RidgePath


def scores_of_all_rows(
    subsample: Mapping[str, Estimate], moments: FeatureMoments, path: RidgePath, *, n_used: int
) -> dict[str, Estimate]:
    """LogME, the H-score and leave-one-out ridge of all n rows, with the spread of ``n_used`` rows scaled to n.

    ``subsample`` holds the scores of ``n_used`` rows with their intervals.  The standard error and
    the interval's half-widths shrink by sqrt(n_used / n), as those of a smooth function of means do;
    the estimate's ``reason`` says so.
    """
    values = {"logme": logme_from_moments(moments), "h_score": h_score_from_moments(moments)}
    whole = {name: result.value for name, result in values.items() if result.ok}
    best = int(np.argmin(path.loo_squared_error))
    leave_one_out = path.loo_r2 if path.loo_accuracy is None else path.loo_accuracy
    if path.status == "ok":
        whole["ridge_loo"] = leave_one_out[best]
    return {
        name: _moved(subsample[name], float(value), n=moments.n_rows, n_used=n_used)
        for name, value in whole.items()
        if subsample[name].ok
    }


def _moved(estimate: Estimate, value: float, *, n: int, n_used: int) -> Estimate:
    shrink = float(np.sqrt(n_used / n))
    interval = None
    if estimate.interval is not None:
        low, high = estimate.interval
        interval = (value - shrink * (estimate.value - low), value + shrink * (high - estimate.value))
    return replace(
        estimate,
        value=value,
        std_error=None if estimate.std_error is None else shrink * estimate.std_error,
        interval=interval,
        reason=f"all {n:,} rows; the interval is that of a subsample of {n_used:,}, scaled by sqrt({n_used:,}/{n:,})",
    )
