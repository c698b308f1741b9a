"""RadReg: the representation-induced Rademacher complexity of unlabelled downstream data, as a penalty.

For features H (n, d) of n unlabelled downstream examples and fair signs the penalty is the mean over draws of the
largest correlation with the signs that a linear head of norm at most R reaches (Deng et al., arXiv 2403.06871,
section 5).  For these head classes the inner maximum is a norm, so that no inner loop is needed:

    l2          ||w||_2 <= R, one output        R ||H^T s||_2 / n
    frobenius   ||W||_F <= R, K outputs         R ||H^T S||_F / n
    l1          ||w||_1 <= R, one output        R max_j |(H^T s)_j| / n

A mini-batch of n examples has a larger value than the pool of N (about sqrt(N / n) times for the same law): the values
of runs compare only at the same n, and :mod:`carryover.objectives.pool` gives the pool's own.  The same numbers as
:mod:`carryover.measures.rademacher`, with gradients.
"""

from typing import Literal

import torch
from torch import Tensor

from carryover._core.errors import InputError
from carryover.training.processes import ALONE, Processes

Head = Literal["l2", "frobenius", "l1"]
HEADS = ("l2", "frobenius", "l1")


def radreg_penalty(
    features: Tensor,
    signs: Tensor,
    *,
    head: Head = "frobenius",
    radius: float = 1.0,
    normalize: bool = False,
    processes: Processes = ALONE,
) -> Tensor:
    """Mean over draws of the inner maximum, a scalar that can be differentiated with respect to ``features`` (n, d).

    ``signs``: (draws, n) for "l2" and "l1", (draws, n, K) for "frobenius".  ``normalize`` divides the features by the
    root mean square of their entries, so that the encoder cannot lower the penalty by shrinking its output.
    The gradient at a draw whose norm is 0 is taken as 0.  Of several ``processes`` each gives its own rows of H and s;
    the sums H^T s are added up before the norm is taken, so that the penalty is that of all n rows.

    >>> H, s = torch.tensor([[3.0, 4.0]]), torch.ones(1, 1)
    >>> float(radreg_penalty(H, s, head="l2"))
    5.0
    """
    _check(features, signs, head, radius)
    if normalize:
        features = of_unit_scale(features, processes)
    n = len(features) * processes.count
    return radius / n * inner_maxima(processes.total(signed_sums(features, signs)), head).mean()


def of_unit_scale(features: Tensor, processes: Processes = ALONE) -> Tensor:
    """Features divided by the root mean square of all processes' entries."""
    mean_square = processes.mean(features.square().mean())
    return features / mean_square.clamp_min(torch.finfo(features.dtype).tiny).sqrt()


def signed_sums(features: Tensor, signs: Tensor) -> Tensor:
    """H^T s of every draw, (draws, d, K); what several processes add up before the norm is taken."""
    by_output = signs if signs.ndim == 3 else signs[:, :, None]
    return torch.einsum("nd,jnk->jdk", features, by_output.to(features.dtype))


def inner_maxima(sums: Tensor, head: Head) -> Tensor:
    """The maximum over heads of norm at most 1 of <W, sums> for each draw, (draws,), from sums (draws, d, K)."""
    if head == "l1":
        return sums.abs().amax(dim=(1, 2))
    flat = sums.flatten(start_dim=1)
    # The norm's own gradient at 0 is 0 in torch; linalg.vector_norm keeps that for whole draws.
    return torch.linalg.vector_norm(flat, dim=1)


def _check(features: Tensor, signs: Tensor, head: str, radius: float) -> None:
    if head not in HEADS:
        raise InputError(f"head must be one of {HEADS}, got {head!r}")
    if not radius > 0.0:
        raise InputError(f"radius must be > 0, got {radius:g}")
    wanted = 3 if head == "frobenius" else 2
    if features.ndim != 2 or signs.ndim != wanted or signs.shape[1] != len(features):
        names = "(draws, n, outputs)" if wanted == 3 else "(draws, n)"
        raise InputError(
            f"head {head!r} needs features (n, d) and signs {names}, "
            f"got {tuple(features.shape)} and {tuple(signs.shape)}"
        )
