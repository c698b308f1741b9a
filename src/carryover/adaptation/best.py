"""The best weights so far, kept beside a network and stored with its checkpoints."""

import torch
from torch import nn

_NONE = torch.finfo(torch.float64).min  # and not -inf: what is stored with a checkpoint must be finite


class BestWeights(nn.Module):
    """``network`` with a copy of its state at the step of the highest score, so that a run taken up again knows it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self._names = {}
        for place, (name, value) in enumerate(network.state_dict().items()):
            self._names[name] = f"best_{place}"
            self.register_buffer(f"best_{place}", value.detach().clone())
        self.register_buffer("score", torch.tensor(_NONE, dtype=torch.float64))
        self.register_buffer("step", torch.tensor(0, dtype=torch.int64))

    @torch.no_grad()
    def offer(self, step: int, score: float) -> None:
        """Keep the network as it is now if ``score`` is higher than all before; NaN and -infinity never are."""
        if score > float(self.score):
            self.score.fill_(score)
            self.step.fill_(step)
            for name, value in self.network.state_dict().items():
                getattr(self, self._names[name]).copy_(value)

    @property
    def any(self) -> bool:
        """Whether any weights were kept."""
        return float(self.score) > _NONE

    @torch.no_grad()
    def restore(self) -> None:
        """Put the best weights back into the network; without any it stays as it is."""
        if self.any:
            self.network.load_state_dict({name: getattr(self, own) for name, own in self._names.items()})
