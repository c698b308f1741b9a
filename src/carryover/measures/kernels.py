"""Kernel matrices on one batch: how far one moved, and how well it fits the targets."""

from typing import Any

import numpy as np
from jaxtyping import Float

from carryover._core.errors import InputError
from carryover._core.results import Result
from carryover.measures.moments import target_rows
from carryover.measures.ridge_setup import CONSTANT_TARGETS, Task, check_task_targets

CONSTANT_KERNEL = "the kernel is the same for every pair of examples: it tells none of them apart"

_ASYMMETRY = 1e-6  # of the largest entry: what sums in single precision leave


def check_kernel(kernel: Any, name: str = "kernel") -> Float[np.ndarray, "n n"]:
    """A finite symmetric float64 matrix (n, n) with n >= 2, exactly symmetric; raises InputError otherwise.

    Differences across the diagonal up to 1e-6 of the largest entry pass as rounding and are averaged out.
    """
    array = np.asarray(kernel)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or len(array) < 2:
        raise InputError(f"{name} must be a square matrix of two or more examples, got shape {array.shape}")
    if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise InputError(f"{name} must be real numbers, got dtype {array.dtype}")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise InputError(f"{name} has values that are NaN or infinite, the first in row {row}")
    gap, largest = float(np.abs(array - array.T).max()), float(np.abs(array).max())
    if gap > _ASYMMETRY * largest:
        raise InputError(
            f"{name} must be symmetric, got a difference of {gap:.3g} (largest entry {largest:.3g})"
        )
    return (array + array.T) / 2.0


def cosine(first: Float[np.ndarray, "n n"], second: Float[np.ndarray, "n n"]) -> float | None:
    """<A, B>_F / (||A||_F ||B||_F), or None where one is zero; scaled first, so that nothing overflows."""
    sizes = [float(np.abs(one).max()) for one in (first, second)]
    if not all(sizes):
        return None
    first, second = first / sizes[0], second / sizes[1]
    return float(np.vdot(first, second) / (np.linalg.norm(first) * np.linalg.norm(second)))


def kernel_distance(before: Any, after: Any) -> Result:
    """1 - <K_t, K_0>_F / (||K_t||_F ||K_0||_F) of tangent kernels (n, n) on one batch, before and after training.

    0 where the kernel changed by a factor at most (the lazy regime), at most 1 for kernels without negative
    eigenvalues; no units.  Failed where one is zero.
    Reference: Fort, Dziugaite, Paul, Kharaghani, Roy, Ganguli, NeurIPS 2020, section 3.
    Raises InputError for what is not a symmetric finite matrix, and for unequal sizes.

    >>> kernel_distance(np.diag([1.0, 0.0]), np.diag([0.0, 3.0])).value
    1.0
    """
    before, after = check_kernel(before, "before"), check_kernel(after, "after")
    if before.shape != after.shape:
        raise InputError(
            f"before and after must be kernels of the same examples, got {len(before)} and {len(after)} rows"
        )
    found = cosine(before, after)
    if found is None:
        return Result(status="failed", reason="one of the kernels is zero everywhere: it has no direction")
    return Result(max(0.0, 1.0 - found))


def kernel_target_alignment(
    kernel: Any, targets: Any, *, task: Task = "classification", n_classes: int | None = None
) -> Result:
    """Centred alignment <K_c, Y Y^T>_F / (||K_c||_F ||Y Y^T||_F) of a kernel (n, n) with what is to be learned.

    K_c = H K H, H = I - 1 1^T / n, and Y (n, k) are the centred targets: one-hot classes, or the numbers themselves.
    In [0, 1] for kernels without negative eigenvalues; a positive factor and a constant added to the kernel change
    nothing.  Failed where the centred kernel or the targets are constant.
    Reference: Cortes, Mohri, Rostamizadeh, JMLR 13 (2012), definition 4.  Raises InputError for what is not a symmetric
    finite matrix, and for targets that do not fit it.

    >>> round(kernel_target_alignment([[1.0, -1.0], [-1.0, 1.0]], [0, 1]).value, 12)
    1.0
    """
    matrix = centred_kernel(check_kernel(kernel))
    values, counted = check_task_targets(task, targets, n=len(matrix), n_classes=n_classes)
    rows = target_rows(values, counted)
    if not np.ptp(rows, axis=0).any():
        return Result(status="failed", reason=CONSTANT_TARGETS)
    rows = rows / np.abs(rows).max()
    rows -= rows.mean(axis=0)
    found = cosine(matrix, rows @ rows.T)
    if found is None:
        return Result(status="failed", reason=CONSTANT_KERNEL)
    return Result(found)


def centred_kernel(kernel: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    """H K H with H = I - 1 1^T / n; exactly zero where what remains is rounding of the kernel's entries.

    >>> centred_kernel(np.array([[2.0, 0.0], [0.0, 2.0]]))
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    means = kernel.mean(axis=0)
    centred = kernel - means - means[:, None] + means.mean()
    rounding = 8 * np.finfo(np.float64).eps * np.abs(kernel).max()
    return centred if np.abs(centred).max() > rounding else np.zeros_like(kernel)
