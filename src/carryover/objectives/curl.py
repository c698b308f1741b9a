"""Contrastive losses with k negatives and blocks (Arora et al., ICML 2019)."""

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from carryover._core.errors import InputError

Loss = Literal["hinge", "logistic"]
LOSSES = ("hinge", "logistic")


def curl_loss(anchor: Tensor, positive: Tensor, negatives: Tensor, *, loss: Loss = "logistic") -> Tensor:
    """Mean of loss(f(x)^T (f(x+) - f(x-_1)), ..., f(x)^T (f(x+) - f(x-_k))).

    ``anchor``, ``positive``: (b, d), or ``positive`` (b, s, d) for a block of s similar examples, whose mean counts;
    ``negatives`` (b, k, d), or (b, k, s, d) for blocks.  The loss is that of :func:`margin_loss`.

    >>> x = torch.zeros(1, 2)
    >>> float(curl_loss(x, x, x[:, None])), float(curl_loss(x, x, x[:, None], loss="hinge"))
    (1.0, 1.0)
    """
    if positive.ndim == 3:
        positive = positive.mean(dim=1)
    if negatives.ndim == 4:
        negatives = negatives.mean(dim=2)
    shape = tuple(anchor.shape)
    if positive.shape != anchor.shape or negatives.ndim != 3 or (len(negatives), negatives.shape[2]) != shape:
        raise InputError(
            f"anchor (b, d), positive (b, d) or (b, s, d) and negatives (b, k, d) or (b, k, s, d) must agree, got "
            f"{shape}, {tuple(positive.shape)} and {tuple(negatives.shape)}"
        )
    margins = torch.einsum("bd,bkd->bk", anchor, positive[:, None] - negatives)
    return margin_loss(margins, loss=loss)


def margin_loss(margins: Tensor, *, loss: Loss = "logistic") -> Tensor:
    """Mean loss of margins v (b, k), one for each negative of an anchor.

    hinge: max(0, 1 + max_i -v_i); logistic in base 2: log2(1 + sum_i exp(-v_i)).  One negative and v = 0 give 1 for
    both; k negatives and v = 0 give 1 and log2(1 + k).

    >>> float(margin_loss(torch.zeros(4, 3))), float(margin_loss(torch.zeros(4, 3), loss="hinge"))
    (2.0, 1.0)
    """
    if loss not in LOSSES:
        raise InputError(f"loss must be one of {LOSSES}, got {loss!r}")
    if loss == "hinge":
        return functional.relu(1.0 - margins.min(dim=1).values).mean()
    zero = torch.zeros_like(margins[:, :1])
    return torch.logsumexp(torch.cat([zero, -margins], dim=1), dim=1).mean() / math.log(2.0)
