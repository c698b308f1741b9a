"""One gradient for each example and output, by all or some of a network's weights."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.func import vjp, vmap

from carryover._core.errors import InputError
from carryover.models.frozen import detached, outputs


def example_gradients(
    network: nn.Module,
    inputs: Tensor,
    *,
    names: Sequence[str],
    directions: Tensor,
) -> dict[str, Tensor]:
    """By name, the gradients (n, g, *shape) of g combinations of the outputs at each of n inputs.

    ``directions`` (g, K) holds the combinations, for one output a row of the identity; ``names`` are the parameters
    that gradients are taken by.  The network is run on each example alone, and must be
    :func:`carryover.models.frozen.frozen`.  Raises InputError where torch cannot do that.
    """
    weights = detached(network)
    varied = {name: weights[name] for name in names}

    def of_example(example: Tensor) -> dict[str, Tensor]:
        _, pull_back = vjp(lambda some: outputs(network, {**weights, **some}, example[None])[0], varied)
        return vmap(pull_back)(directions)[0]

    try:
        with torch.no_grad():  # for what lies outside: vjp does differentiate
            return vmap(of_example)(inputs)
    except RuntimeError as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"the network cannot be differentiated example by example: {first}") from error


def bytes_kept(network: nn.Module, inputs: Tensor, names: Sequence[str]) -> tuple[int, int]:
    """The number of outputs, and the bytes that a forward pass of ``inputs`` keeps for gradients by ``names``."""
    weights = detached(network)
    tracked = {name: weight.clone().requires_grad_(name in set(names)) for name, weight in weights.items()}
    own = {_memory(one)[0] for one in (inputs, *tracked.values(), *weights.values(), *network.buffers())}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        place, size = _memory(tensor)
        if place not in own:
            kept[place] = size
        return tensor

    with torch.enable_grad(), saved_tensors_hooks(keep, lambda tensor: tensor):
        found = outputs(network, tracked, inputs)
    return found.shape[1], sum(kept.values())


def _memory(tensor: Tensor) -> tuple[int, int]:
    storage = tensor.untyped_storage()
    return storage.data_ptr(), storage.nbytes()
