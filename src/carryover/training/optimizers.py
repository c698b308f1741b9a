"""AdamW and gradient descent for networks, and their state as named tensors, stored without pickling."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from carryover._core.errors import InputError
from carryover.training.sharding import laid_out_as


def adamw(
    network: nn.Module, *, learning_rate: float, weight_decay: float, betas: tuple[float, float] = (0.9, 0.95)
) -> torch.optim.AdamW:
    """AdamW over the parameters that need gradients; those of one dimension (biases, norms) are not decayed."""
    return torch.optim.AdamW(_groups(network, weight_decay), lr=learning_rate, betas=betas)


def sgd(
    network: nn.Module, *, learning_rate: float, weight_decay: float, momentum: float = 0.0
) -> torch.optim.SGD:
    """Gradient descent with heavy-ball ``momentum``; ``weight_decay`` as in :func:`adamw` but added to the gradient."""
    return torch.optim.SGD(_groups(network, weight_decay), lr=learning_rate, momentum=momentum)


def _groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    trained = [weight for weight in network.parameters() if weight.requires_grad]
    if not trained:
        raise InputError("no parameter of the network needs a gradient: there is nothing to train")
    groups = [
        {"params": [weight for weight in trained if weight.ndim >= 2], "weight_decay": weight_decay},
        {"params": [weight for weight in trained if weight.ndim < 2], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def optimizer_tensors(optimizer: torch.optim.Optimizer, network: nn.Module) -> dict[str, Tensor]:
    """The optimizer's state as tensors named ``<field>:<parameter>``."""
    names = {id(weight): name for name, weight in network.named_parameters()}
    return {
        f"{field}:{names[id(weight)]}": torch.as_tensor(value).detach()
        for weight, state in optimizer.state.items()
        for field, value in state.items()
    }


def restore_optimizer(
    optimizer: torch.optim.Optimizer, network: nn.Module, tensors: Mapping[str, Tensor]
) -> None:
    """Put back what :func:`optimizer_tensors` gave; InputError where a tensor fits no parameter."""
    weights = dict(network.named_parameters())
    optimizer.state.clear()
    for key, value in tensors.items():
        field, _, name = key.partition(":")
        if name not in weights:
            raise InputError(f"the optimizer's state names {name!r}, which the network does not have")
        weight = weights[name]
        if value.ndim and value.shape != weight.shape:
            shapes = f"{tuple(value.shape)}, the parameter {tuple(weight.shape)}"
            raise InputError(f"the optimizer's {field} of {name!r} has shape {shapes}")
        optimizer.state[weight][field] = laid_out_as(value, weight) if value.ndim else value.clone()
