"""How far fine-tuning may go from the pretrained weights: the L2-SP penalty and projection onto a ball."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from carryover._core.errors import InputError


class Anchor:
    """Copies of parameters as pretraining left them: the point that distances are measured from.

    ``names`` of parameters of ``network`` that need gradients and had a pretrained value; ``start`` gives these values
    by name, by default they are the weights as they are now.
    """

    def __init__(
        self, network: nn.Module, names: Iterable[str], start: Mapping[str, Tensor] | None = None
    ) -> None:
        weights = dict(network.named_parameters())
        self.names = tuple(names)
        self.weights: list[Tensor] = [weights[name] for name in self.names]
        self.start: list[Tensor] = [
            weights[name].detach().clone() if start is None else start[name] for name in self.names
        ]
        layers = {name: place for place, name in enumerate(dict.fromkeys(map(_layer, self.names)))}
        self.layer_of = torch.tensor([layers[_layer(name)] for name in self.names], dtype=torch.int64)

    def half_squared_distance(self) -> Tensor:
        """||theta - theta_0||^2 / 2, a scalar whose gradient is theta - theta_0 (L2-SP with strength 1)."""
        if not self.weights:
            return torch.zeros(())
        return _HalfSquaredDistance.apply(self.start, *self.weights)

    @torch.no_grad()
    def distances(self) -> Mapping[str, float]:
        """||theta_l - theta_l,0|| of each parameter, by name."""
        if not self.weights:
            return {}
        norms = torch._foreach_norm(torch._foreach_sub(self.weights, self.start))
        return {name: float(norm) for name, norm in zip(self.names, norms, strict=True)}

    @torch.no_grad()
    def project(self, radius: float, *, by_layer: bool = False) -> None:
        """The nearest weights within ``radius`` of the start, in place: of all together, or layer by layer.

        Radius 0 gives the pretrained weights themselves, infinity changes nothing.  Raises InputError below 0.
        """
        if not radius >= 0.0:
            raise InputError(f"radius must be >= 0, got {radius:g}")
        if not self.weights or radius == math.inf:
            return
        gaps = torch._foreach_sub(self.weights, self.start)
        squares = torch.stack(torch._foreach_norm(gaps)).square()
        if by_layer:
            place = self.layer_of.to(squares.device)
            squares = squares.new_zeros(int(place.max()) + 1).index_add_(0, place, squares)[place]
        else:
            squares = squares.sum().expand(len(gaps))
        norms = squares.sqrt()
        factors = (radius / norms.clamp_min(torch.finfo(norms.dtype).tiny)).clamp(max=1.0)
        if bool((factors == 1.0).all()):
            return
        torch._foreach_mul_(gaps, list(factors.unbind()))
        torch._foreach_add_(gaps, self.start)
        torch._foreach_copy_(self.weights, gaps)


class _HalfSquaredDistance(torch.autograd.Function):
    """One step of the graph for all weights, walked once: a step for each would cost more than the sums themselves."""

    @staticmethod
    def forward(ctx: Any, start: list[Tensor], *weights: Tensor) -> Tensor:
        ctx.gaps = torch._foreach_sub(weights, start)
        return 0.5 * torch.stack(torch._foreach_norm(ctx.gaps)).square().sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        # Handed over and not kept, so that autograd may add to them where they lie.
        gaps, ctx.gaps = ctx.gaps, None
        torch._foreach_mul_(gaps, grad)
        return None, *gaps


def _layer(parameter: str) -> str:
    return parameter.rpartition(".")[0]
