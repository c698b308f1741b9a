"""How a tangent kernel changed by training, with intervals over the examples of the batch it was measured on."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from carryover._core.checks import check_features
from carryover._core.errors import InputError
from carryover._core.results import Estimate, Result
from carryover.measures.kernels import CONSTANT_KERNEL, centred_kernel, check_kernel, kernel_distance
from carryover.numerics.montecarlo import jackknife_estimate

LEAST_EXAMPLES = 8
_MOST_LOG = 600.0


def kernel_distance_estimate(
    before: Any, after: Any, *, centred: bool = False, confidence: float = 0.95
) -> Estimate:
    """:func:`~carryover.measures.kernels.kernel_distance` of kernels (n, n), its interval by leaving out each example.

    ``centred``: of H K H, without what the gradients of all examples share; that mean is most of the norm of a real
    network's kernel and hardly moves, so that the plain distance can be small where the kernel of differences between
    examples is another one.  The interval stays within [0, 1].  Failed where a kernel is zero.  Raises InputError as
    kernel_distance does, and for fewer than 8 examples.
    """
    first, second = _pair(before, after)

    def distance(kept: np.ndarray) -> Result:
        parts = _parts(first, second, kept)
        return kernel_distance(*(centred_kernel(part) for part in parts) if centred else parts)

    found = _jackknifed(distance, len(first), confidence)
    if not found.ok or found.interval is None:
        return found
    low, high = found.interval
    return replace(found, interval=(max(0.0, low), min(1.0, high)))


def kernel_growth(before: Any, after: Any, learned: Any, *, confidence: float = 0.95) -> Estimate:
    """By what factor the kernel grew along what was learned: sum_k f_k' K_t f_k / sum_k f_k' K_0 f_k.

    ``before`` K_0 and ``after`` K_t are tangent kernels (n, n) of one batch; ``learned`` (n, K) is what training added
    to the outputs there, f = outputs after - outputs before, centred over the examples.  Kernels of the same form and
    of the same parameters; a factor that both share changes nothing.  1 where training was lazy.  For a coordinate of a
    diagonal linear network K is proportional to sqrt(k + 4 beta^2), so that the factor gives the order of its implicit
    bias (Anguita et al., 2026, Theorem 4.1): see :mod:`carryover.adaptation.regime_map`.  The interval is the
    delete-one jackknife's, of the logarithm.  Failed where nothing was learned or a kernel is zero there.
    Raises InputError for kernels that are not symmetric finite matrices, unequal sizes, fewer than 8 examples.

    >>> round(kernel_growth(np.eye(8), 3.0 * np.eye(8), np.arange(8.0)[:, None]).value, 12)
    3.0
    """
    first, second = _pair(before, after)
    outputs = check_features(learned, "learned")
    if len(outputs) != len(first):
        raise InputError(f"learned must have a row for each of {len(first)} examples, got {len(outputs)}")
    size = float(np.abs(outputs - outputs.mean(axis=0)).max())
    if size == 0.0:
        return Estimate.missing("failed", "training changed no output: nothing was learned")
    outputs = outputs / size

    def log_ratio(kept: np.ndarray) -> Result:
        rows = outputs[kept] - outputs[kept].mean(axis=0)
        sizes = [float(np.vdot(rows, kernel @ rows)) for kernel in _parts(first, second, kept)]
        if min(sizes) <= 0.0:
            return Result(status="failed", reason=CONSTANT_KERNEL)
        return Result(float(np.log(sizes[1]) - np.log(sizes[0])))

    found = _jackknifed(log_ratio, len(first), confidence)
    if not found.ok:
        return found
    value = float(np.exp(np.clip(found.value, -_MOST_LOG, _MOST_LOG)))
    if found.interval is None:
        return replace(found, value=value)
    ends = np.exp(np.clip(found.interval, -_MOST_LOG, _MOST_LOG))
    return replace(
        found, value=value, std_error=value * found.std_error, interval=(float(ends[0]), float(ends[1]))
    )


def _pair(before: Any, after: Any) -> tuple[np.ndarray, np.ndarray]:
    first, second = check_kernel(before, "before"), check_kernel(after, "after")
    if first.shape != second.shape:
        raise InputError(
            f"before and after must be kernels of the same examples, got {len(first)} and {len(second)} rows"
        )
    if len(first) < LEAST_EXAMPLES:
        raise InputError(f"kernels must be of {LEAST_EXAMPLES} examples or more, got {len(first)}")
    return first, second


def _parts(
    first: Float[np.ndarray, "n n"], second: Float[np.ndarray, "n n"], kept: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    rows = np.ix_(kept, kept)
    return first[rows], second[rows]


def _jackknifed(statistic: Callable[[np.ndarray], Result], n: int, confidence: float) -> Estimate:
    """The statistic on all rows, and its spread when each is left out."""
    rows = np.arange(n)
    whole = statistic(rows)
    if not whole.ok:
        return Estimate.missing(whole.status, whole.reason)
    without = [statistic(np.delete(rows, row)) for row in rows]
    failed = next((one for one in without if not one.ok), None)
    if failed is not None:
        return Estimate.missing("failed", f"without one of the examples: {failed.reason}")
    values = [one.value for one in without]
    return jackknife_estimate(whole.value, values, n=n, subsample_size=n - 1, confidence=confidence)
