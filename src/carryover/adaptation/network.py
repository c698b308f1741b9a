"""A pretrained network with a new head on the features that are read off it."""

import torch
from torch import Tensor, nn

from carryover._core.errors import InputError
from carryover.adaptation.plans import BatchNormMode
from carryover.models.records import LoadedModel

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class AdaptedNetwork(nn.Module):
    """Preprocessed images (n, c, h, w) to scores (n, n_outputs): ``head`` of the features of ``encoder``.

    Parameters are named "encoder.*" and "head.*"; the head starts at zero.  ``width`` is the number of features.
    The model's own weights are the ones that train: load it anew for another adaptation.
    """

    def __init__(self, model: LoadedModel, *, width: int, n_outputs: int) -> None:
        super().__init__()
        if width < 1 or n_outputs < 1:
            raise InputError(f"width and n_outputs must be >= 1, got {width} and {n_outputs}")
        self.encoder = model.module
        self.head = nn.Linear(width, n_outputs)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self._read_out = model.read_out
        self.batch_norm: BatchNormMode = "frozen"

    def features(self, images: Tensor) -> Tensor:
        """Features (n, width); InputError where the network gives another width."""
        found = self._read_out(images).features
        if found.shape[1] != self.head.in_features:
            raise InputError(
                f"the head takes {self.head.in_features} features and the network gives {found.shape[1]}"
            )
        return found

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))

    def train(self, mode: bool = True) -> "AdaptedNetwork":
        """Training mode, in which batch norms use the pretrained statistics unless ``batch_norm`` is "train"."""
        super().train(mode)
        if self.batch_norm == "frozen":
            for layer in self.modules():
                if isinstance(layer, BATCH_NORMS):
                    layer.eval()
        return self

    @torch.no_grad()
    def set_head(self, weight: Tensor, bias: Tensor) -> None:
        """Head weights (n_outputs, width) and bias (n_outputs,); InputError for another shape."""
        for name, value in (("weight", weight), ("bias", bias)):
            own = getattr(self.head, name)
            if own.shape != value.shape:
                raise InputError(
                    f"the head's {name} must have shape {tuple(own.shape)}, got {tuple(value.shape)}"
                )
            own.copy_(value)


def pretrained_names(network: AdaptedNetwork) -> list[str]:
    """Parameters that hold a pretrained value and need gradients: the encoder's, without low-rank additions."""
    return [
        name
        for name, weight in network.named_parameters()
        if name.startswith("encoder.") and weight.requires_grad and ".lora_" not in name
    ]


def encoder_weights(network: AdaptedNetwork) -> dict[str, Tensor]:
    """Copies of the encoder's parameters as they are now, by name: taken before a plan, the pretrained ones."""
    return {
        name: weight.detach().clone()
        for name, weight in network.named_parameters()
        if name.startswith("encoder.")
    }


def pretrained_name(parameter: str) -> str:
    """The name that a parameter had before low-rank additions were put around its layer.

    >>> pretrained_name("encoder.fc.base_layer.weight")
    'encoder.fc.weight'
    """
    return parameter.replace(".base_layer.", ".")
