"""Small networks whose tangents are tested, and their Jacobians one output and one example at a time."""

import copy

import numpy as np
import torch
from torch import Tensor, nn
from transformers import ViTConfig, ViTForImageClassification

from carryover.models.backbones import SmallCnn
from carryover.models.seeding import seeded_torch


def convolutional(seed: int = 0) -> nn.Module:
    """Images (n, 3, 8, 8) to 3 outputs, with batch norm whose statistics are not those of a new network."""
    with seeded_torch(seed):
        network = SmallCnn(3, channels=3, width=4)
        for part in network.modules():
            if isinstance(part, nn.BatchNorm2d):
                nn.init.uniform_(part.running_mean, -0.3, 0.3)
                nn.init.uniform_(part.running_var, 0.5, 2.0)
    return network


def transformer(seed: int = 0, *, attention: str = "sdpa") -> nn.Module:
    """transformers' ViT on images (n, 3, 8, 8), 3 outputs, one class token and 4 patches."""
    config = ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        image_size=8, patch_size=4, num_labels=3, attn_implementation=attention,
    )  # fmt: skip
    with seeded_torch(seed):
        return ViTForImageClassification(config)


class _TorchTransformer(nn.Module):
    """torch's own encoder layer, whose fused path and attention have no forward-mode derivative."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Linear(48, 8)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.3, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.layer(self.embedding(images.reshape(len(images), 4, 48))).mean(dim=1))


class _TiedWeights(nn.Module):
    """One matrix used twice, a parameter that is never used, and a layer of no name of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(192, 192, bias=False)
        self.second = nn.Linear(192, 192, bias=False)
        self.second.weight = self.first.weight
        self.unused = nn.Parameter(torch.ones(4))
        self.head = nn.Linear(192, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(torch.tanh(self.second(torch.tanh(self.first(images.flatten(1))))))


def torch_transformer(seed: int = 0) -> nn.Module:
    with seeded_torch(seed):
        return _TorchTransformer()


def tied(seed: int = 0) -> nn.Module:
    with seeded_torch(seed):
        return _TiedWeights()


NETWORKS = {
    "convolutional": convolutional,
    "transformer": transformer,
    "torch_transformer": torch_transformer,
    "tied": tied,
}


def images(n: int, seed: int = 0) -> Tensor:
    """Random images (n, 3, 8, 8)."""
    return torch.randn(n, 3, 8, 8, generator=torch.Generator().manual_seed(seed))


def jacobian(network: nn.Module, inputs: Tensor) -> np.ndarray:
    """(n, K, P) in float64, by one ordinary backward pass for each example and output, in evaluation mode."""
    twin = copy.deepcopy(network).double().eval()
    weights, rows = list(twin.parameters()), []
    for example in inputs.double():
        found = twin(example[None])
        found = getattr(found, "logits", found)[0]
        for value in found:
            parts = torch.autograd.grad(value, weights, retain_graph=True, allow_unused=True)
            filled = [torch.zeros_like(w) if g is None else g for w, g in zip(weights, parts, strict=True)]
            rows.append(torch.cat([part.flatten() for part in filled]))
    return torch.stack(rows).reshape(len(inputs), -1, rows[0].numel()).numpy()
