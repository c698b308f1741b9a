"""A Transformer of one block without normalisation, so that the scale of every weight changes what it computes."""

import math

import torch
from torch import Tensor, nn

_HIDDEN = 4  # of the width


class PairEncoder(nn.Module):
    """Pairs (n, 2) of numbers mod p to features (n, width): tokens "a b =", attention from "=", a ReLU layer.

    Embeddings of tokens and places are the early part.  Initial weights are torch's; embeddings N(0, 1 / width).
    """

    def __init__(self, modulus: int, *, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.tokens = nn.Embedding(modulus + 1, width)
        self.places = nn.Embedding(3, width)
        for table in (self.tokens, self.places):
            nn.init.normal_(table.weight, std=1.0 / math.sqrt(width))
        self.query, self.key, self.value, self.mixed = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.up, self.down = nn.Linear(width, _HIDDEN * width), nn.Linear(_HIDDEN * width, width, bias=False)

    def forward(self, pairs: Tensor) -> Tensor:
        equals = pairs.new_full((len(pairs), 1), self.tokens.num_embeddings - 1)
        states = self.tokens(torch.cat([pairs, equals], dim=1)) + self.places.weight
        last = states[:, -1:]
        queries, keys, values = (
            self._by_head(found) for found in (self.query(last), self.key(states), self.value(states))
        )
        scores = queries @ keys.transpose(-1, -2) / math.sqrt(queries.shape[-1])
        attended = (torch.softmax(scores, dim=-1) @ values).transpose(1, 2).flatten(2)
        last = last + self.mixed(attended)
        return (last + self.down(torch.relu(self.up(last)))).squeeze(1)

    def _by_head(self, states: Tensor) -> Tensor:
        """(n, t, width) to (n, heads, t, width / heads)."""
        return states.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class PairNetwork(nn.Module):
    """``encoder`` and a linear ``readout`` without intercept: logits (n, outputs)."""

    def __init__(self, encoder: nn.Module, readout: nn.Linear) -> None:
        super().__init__()
        self.encoder, self.readout = encoder, readout

    def forward(self, pairs: Tensor) -> Tensor:
        return self.readout(self.encoder(pairs))


def new_readout(width: int, outputs: int, *, scale: float) -> nn.Linear:
    """Weights N(0, scale^2 / width), from torch's generator."""
    readout = nn.Linear(width, outputs, bias=False)
    nn.init.normal_(readout.weight, std=scale / math.sqrt(width))
    return readout
