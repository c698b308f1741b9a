"""Features and source head of any nn.Module that maps images to a tensor."""

from collections.abc import Callable

from torch import Tensor, nn

from carryover.models.readout import FeatureFunction, average_positions, class_token, named_layer
from carryover.models.weights import HEADS


def find_head(module: nn.Module) -> tuple[str, nn.Linear] | None:
    """Name and last linear layer of the classification head: a child called linear, fc, head or classifier.

    >>> find_head(nn.Sequential(nn.Linear(3, 2))) is None
    True
    """
    for name, child in module.named_children():
        last = list(child.children())[-1] if isinstance(child, nn.Sequential) and len(child) else child
        if name in HEADS and isinstance(last, nn.Linear):
            return name, last
    return None


def read_plain_module(module: nn.Module, layer: str, *, use_head: bool) -> FeatureFunction:
    """How to read ``layer`` off a network.

    ``"pooled"``: what enters the classification head, or the network's output where it has none; ``"cls"``: the
    first token of the output; else a submodule.  With ``use_head`` the head's logits come along wherever the
    network's output is (n, classes of the head), classes >= 2.
    """
    head = find_head(module)
    logits = _logits_of(head[1]) if head and use_head and head[1].out_features > 1 else None
    if layer == "cls":
        return FeatureFunction(module, class_token, "the class token of the output", logits=logits)
    if layer != "pooled":
        return named_layer(module, layer, run=module, logits=logits)
    if head is None:
        return FeatureFunction(
            module, average_positions, "the network's output, averaged over positions if it has any"
        )
    return FeatureFunction(
        module,
        average_positions,
        f"what enters the classification layer {head[0]!r}",
        watched=getattr(module, head[0]),
        side="input",
        logits=logits,
    )


def _logits_of(head: nn.Linear) -> Callable[[Tensor], Tensor | None]:
    def pick(output: Tensor) -> Tensor | None:
        is_logits = isinstance(output, Tensor) and output.ndim == 2 and output.shape[1] == head.out_features
        return output if is_logits else None

    return pick


def input_channels(module: nn.Module) -> int | None:
    """Channels that the first convolution takes; None without one, or where it is neither gray nor RGB."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            channels = layer.in_channels
            return channels if channels in (1, 3) else None
    return None
