"""Batch normalisation over the examples of all processes, so that several processes train what one would."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from carryover.training.processes import Processes


class SharedBatchNorm(nn.Module):
    """A batch norm's weights and statistics, under their names, with means and variances over all processes.

    torch's own SyncBatchNorm does the same on GPUs only.  Every process must see as many examples as the others.
    """

    def __init__(self, norm: _BatchNorm, processes: Processes) -> None:
        super().__init__()
        self.eps, self.momentum, self.processes = norm.eps, norm.momentum, processes
        for name in ("weight", "bias"):
            self.register_parameter(name, getattr(norm, name))
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, getattr(norm, name))
        self.train(norm.training)

    def forward(self, x: Tensor) -> Tensor:
        if self.training or self.running_mean is None:
            mean, variance = self._statistics(x)
        else:
            mean, variance = self.running_mean, self.running_var
        scale = (variance + self.eps).rsqrt()
        if self.weight is not None:
            scale = scale * self.weight
        shift = -mean * scale if self.bias is None else self.bias - mean * scale
        shape = (1, -1, *(1 for _ in range(x.ndim - 2)))
        return (x * scale.view(shape) + shift.view(shape)).to(x.dtype)

    def _statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of each channel: those of equal parts combine as means of means and of squares."""
        over = [dim for dim in range(x.ndim) if dim != 1]
        variance, mean = torch.var_mean(x.to(torch.float32), dim=over, correction=0)
        parts = self.processes.rows(torch.stack([mean, variance])[None])
        mean = parts[:, 0].mean(dim=0)
        variance = parts[:, 1].mean(dim=0) + (parts[:, 0] - mean).square().mean(dim=0)
        if self.training and self.running_mean is not None:
            self._remember(mean.detach(), variance.detach(), len(parts) * x.numel() // x.shape[1])
        return mean, variance

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, n: int) -> None:
        self.num_batches_tracked += 1
        rate = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, rate)
        self.running_var.lerp_(variance * n / (n - 1), rate)


def share_batch_norms(network: nn.Module, processes: Processes) -> None:
    """Put a :class:`SharedBatchNorm` in the place of every batch norm; nothing changes for a single process."""
    if processes.count == 1:
        return
    for name, child in network.named_children():
        if isinstance(child, _BatchNorm):
            setattr(network, name, SharedBatchNorm(child, processes))
        else:
            share_batch_norms(child, processes)
