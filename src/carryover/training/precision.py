"""In which precision a step computes: float32, or bfloat16 where that is safe."""

from contextlib import AbstractContextManager
from typing import Literal

import torch
from torch import Tensor

Precision = Literal["no", "bf16"]
PRECISIONS = ("no", "bf16")


def computing_in(precision: Precision, device: torch.device) -> AbstractContextManager:
    """ "bf16": matrix products and convolutions in bfloat16, weights and sums in float32; "no": as they are."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def in_full(tensor: Tensor) -> tuple[Tensor, AbstractContextManager]:
    """The tensor in float32 at least, and the context in which what follows keeps that precision."""
    wide = tensor.to(torch.promote_types(tensor.dtype, torch.float32))
    return wide, torch.autocast(tensor.device.type, enabled=False)
