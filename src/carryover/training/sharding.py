"""Tensors that FSDP keeps in shards: put together for a checkpoint, taken apart when it is loaded."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor


def gathered(tensors: Mapping[str, Tensor], *, keep: bool) -> dict[str, Tensor]:
    """Whole tensors by name, one gathered after the other; {} where this process does not ``keep`` them.

    Every process must call it; tensors that are not in shards are given as they are.
    """
    found = {}
    for name, tensor in tensors.items():
        one = tensor.detach()
        if _in_shards(one):
            one = one.full_tensor()
            one = one.cpu() if keep else one
        if keep:
            found[name] = one
    return found


def laid_out_as(tensor: Tensor, model: Tensor) -> Tensor:
    """A copy of a whole tensor on the device of ``model``, in shards where that one is."""
    copy = tensor.to(model.device, copy=True)
    if not _in_shards(model):
        return copy
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(copy, model.device_mesh, model.placements)


def single_number(tensor: Tensor) -> float:
    """A scalar as a float, summed up where each process holds a part of it; every process must ask."""
    return float(tensor.full_tensor() if _in_shards(tensor) else tensor)


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether no tensor holds NaN or infinity in the part that this process has."""
    own = (one.to_local() if _in_shards(one) else one for one in tensors)
    return all(bool(torch.isfinite(one).all()) for one in own)


def _in_shards(tensor: Tensor) -> bool:
    return hasattr(tensor, "full_tensor")
