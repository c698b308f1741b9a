"""RadReg for heads without a closed form: one head for each set of signs, climbing while the encoder descends.

Deng et al. (arXiv 2403.06871, section 5, algorithm 1) alternate projected ascent on the heads with descent on the
encoder.  The value is a lower bound of the true maximum, and reaches it where the heads have climbed all the way.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from carryover._core.errors import InputError


def hidden_head(features: int, width: int, outputs: int) -> nn.Module:
    """A head with one hidden layer: linear, ReLU, linear, both without bias, so that it is homogeneous of degree 2."""
    return nn.Sequential(
        nn.Linear(features, width, bias=False), nn.ReLU(), nn.Linear(width, outputs, bias=False)
    )


class DualHeads(nn.Module):
    """``n_draws`` heads, features (n, d) to scores (n, K), each within a ball of the 2-norm of all its weights.

    ``make_head`` returns one head; ``radius`` is the ball's; ``rate`` the step of an ascent whose direction has norm 1.
    """

    def __init__(
        self, make_head: Callable[[], nn.Module], *, n_draws: int, radius: float = 1.0, rate: float = 0.1
    ) -> None:
        super().__init__()
        if n_draws < 1 or not radius > 0.0 or not rate > 0.0:
            raise InputError(
                f"n_draws must be >= 1, radius and rate > 0, got {n_draws}, {radius:g} and {rate:g}"
            )
        self.heads = nn.ModuleList(make_head() for _ in range(n_draws))
        self.radius, self.rate = radius, rate
        for head in self.heads:
            self._project(head)

    def correlations(self, features: Tensor, signs: Tensor) -> Tensor:
        """(1/n) sum_i s_i^T f_j(h_i) of every draw, (draws,); ``signs`` (draws, n, K)."""
        if signs.ndim != 3 or len(signs) != len(self.heads) or signs.shape[1] != len(features):
            raise InputError(
                f"signs must be ({len(self.heads)}, {len(features)}, outputs), got {tuple(signs.shape)}"
            )
        scores = torch.stack([head(features) for head in self.heads])
        return (scores * signs).sum(dim=(1, 2)) / len(features)

    def climb(self, features: Tensor, signs: Tensor, *, steps: int = 1) -> None:
        """Projected ascent on the heads; the encoder is not touched (features are taken as they are)."""
        features = features.detach()
        weights = list(self.parameters())
        for _ in range(steps):
            gradients = torch.autograd.grad(self.correlations(features, signs).sum(), weights)
            with torch.no_grad():
                for head in self.heads:
                    own = {id(weight) for weight in head.parameters()}
                    pairs = [(w, g) for w, g in zip(weights, gradients, strict=True) if id(w) in own]
                    norm = torch.sqrt(sum(g.square().sum() for _, g in pairs)).clamp_min(1e-30)
                    for weight, gradient in pairs:
                        weight.add_(self.rate * self.radius / norm * gradient)
                    self._project(head)

    def penalty(self, features: Tensor, signs: Tensor) -> Tensor:
        """The mean correlation, differentiated with respect to the features only: the heads are held."""
        held = [weight.requires_grad for weight in self.parameters()]
        try:
            self.requires_grad_(False)
            return self.correlations(features, signs).mean()
        finally:
            for weight, was in zip(self.parameters(), held, strict=True):
                weight.requires_grad_(was)

    @torch.no_grad()
    def _project(self, head: nn.Module) -> None:
        norm = torch.sqrt(sum(weight.square().sum() for weight in head.parameters()))
        if norm > self.radius:
            for weight in head.parameters():
                weight.mul_(self.radius / norm)
