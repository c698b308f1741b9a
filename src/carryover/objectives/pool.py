"""RadReg of a whole downstream pool, for reporting: what the mini-batches of training estimate from above."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from carryover._core.errors import InputError
from carryover._core.results import Estimate
from carryover.measures.rademacher import mean_of_draws
from carryover.objectives.base import Objective
from carryover.objectives.keyed import Key
from carryover.objectives.radreg import HEADS, inner_maxima, signed_sums
from carryover.objectives.regularizers import Regularizer, draw_signs, viewed_features


@dataclass(frozen=True)
class PoolPenalty:
    """``estimate``: R E max <W, sum_i h_i S_i> / N, its interval over the signs; ``normalized``: divided by the root
    mean square of the features' entries, which scaling the encoder cannot change; ``n``: N images.
    """

    estimate: Estimate
    normalized: Estimate
    n: int


@torch.no_grad()
def pool_penalty(
    regularizer: Regularizer,
    objective: Objective,
    batches: Iterable[tuple[Tensor, Tensor]],
    *,
    seed: int,
    confidence: float = 0.95,
) -> PoolPenalty:
    """RadReg of all N images of ``batches`` of (images, ids), in evaluation mode.

    The value of training's mini-batches of n is larger, about sqrt(N / n) times; this one compares with
    :func:`carryover.measures.rademacher.rademacher_complexity` of the same features.  ``regularizer`` says which
    head class, view and number of draws (>= 2); its strength does not enter.  Sums are float64, so that the batches'
    sizes change the result only by rounding.
    """
    if regularizer.kind != "radreg" or regularizer.head not in HEADS or regularizer.n_draws < 2:
        raise InputError(
            "the penalty of a pool is RadReg's with linear heads and n_draws >= 2 for its interval, got "
            f"{regularizer.kind!r}, head {regularizer.head!r} and {regularizer.n_draws} draws"
        )
    training = objective.training
    objective.eval()
    try:
        sums, squares, n = _accumulated(regularizer, objective, batches, seed=seed)
    finally:
        objective.train(training)
    if n == 0:
        raise InputError("the downstream pool holds no images")
    maxima = regularizer.radius / n * inner_maxima(sums, regularizer.head).cpu().numpy()
    if squares > 0.0:
        normalized = mean_of_draws(maxima / (squares / (n * sums.shape[1])) ** 0.5, confidence)
    else:
        normalized = Estimate.missing(
            "not_applicable", "every feature is zero, so there is no scale to divide by"
        )
    return PoolPenalty(mean_of_draws(maxima, confidence), normalized, n)


def _accumulated(
    regularizer: Regularizer, objective: Objective, batches: Iterable[tuple[Tensor, Tensor]], *, seed: int
) -> tuple[Tensor, float, int]:
    """Signed sums (draws, d, K), the features' sum of squares and the number of images, batch by batch."""
    sums, squares, n = torch.zeros(()), 0.0, 0
    for images, ids in batches:
        key = Key(seed, 0, ids)
        features = viewed_features(regularizer, objective, images, key).to(torch.float64)
        signed = signed_sums(features, draw_signs(regularizer, key))
        sums = signed if n == 0 else sums + signed
        squares, n = squares + float(features.square().sum()), n + len(features)
    return sums, squares, n
