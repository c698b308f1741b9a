"""The normalised temperature-scaled cross-entropy of two views (SimCLR: Chen et al., ICML 2020, equation 1)."""

import torch
from torch import Tensor
from torch.nn import functional

from carryover._core.errors import InputError


def nt_xent(first: Tensor, second: Tensor, *, temperature: float = 0.5) -> Tensor:
    """Mean over all 2 b anchors i of -log softmax over j != i of cos(z_i, z_j) / temperature at its other view.

    ``first``, ``second``: projections (b, d) of two views of the same b images, b >= 2.  Scaling a projection by a
    positive number changes nothing.  With every projection equal the loss is log(2 b - 1).

    >>> z = torch.eye(2)
    >>> round(float(nt_xent(z, z, temperature=1.0)), 4)  # log(1 + 2 exp(-1))
    0.5514
    """
    if first.shape != second.shape or first.ndim != 2 or len(first) < 2:
        raise InputError(
            "two views must be projections of one shape (b >= 2, d), "
            f"got {tuple(first.shape)} and {tuple(second.shape)}"
        )
    if not temperature > 0.0:
        raise InputError(f"temperature must be > 0, got {temperature:g}")
    b = len(first)
    unit = functional.normalize(torch.cat([first, second]), dim=1)
    similarity = unit @ unit.T / temperature
    similarity = similarity.masked_fill(torch.eye(2 * b, dtype=torch.bool, device=unit.device), -torch.inf)
    partner = torch.arange(2 * b, device=unit.device).roll(b)
    return functional.cross_entropy(similarity, partner)
