"""Which parameters a phase trains."""

from collections.abc import Sequence

from torch import nn

from carryover.models.patterns import matching


def train_only(network: nn.Module, patterns: Sequence[str]) -> list[str]:
    """Let these parameters have gradients and no others; their names."""
    chosen = set(matching((name for name, _ in network.named_parameters()), patterns))
    for name, weight in network.named_parameters():
        weight.requires_grad_(name in chosen)
    return sorted(chosen)
