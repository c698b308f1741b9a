"""A network as a pure function of its weights: evaluation mode, and attention in steps that can be differentiated."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from carryover._core.errors import InputError, did_you_mean


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Inside, ``network`` is in evaluation mode: batch norm uses its stored statistics, dropout does nothing.

    Attention runs in its plain form (scores, softmax, product), since torch's fused kernels have neither a forward-mode
    derivative nor a rule for one gradient per example.  Afterwards every part is in the mode it had.
    """
    modes = [(part, part.training) for part in network.modules()]
    fast_path = torch.backends.mha.get_fastpath_enabled()
    network.eval()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
        for part, training in modes:
            part.training = training


def outputs(network: nn.Module, weights: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
    """The network's outputs (n, K) for inputs (n, ...) with ``weights`` in place of its own of the same names.

    Networks of transformers give their ``logits``.  Raises InputError for outputs that are not a matrix of floats.
    """
    found = functional_call(network, dict(weights), (inputs,))
    found = getattr(found, "logits", found)
    if not isinstance(found, Tensor) or found.ndim != 2 or not found.is_floating_point():
        raise InputError(f"the network must give a matrix (examples, outputs) of floats, got {_words(found)}")
    return found


def _words(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)} and {value.dtype}"
    return f"a {type(value).__name__}"


def weight_names(network: nn.Module, names: Iterable[str] | None = None) -> tuple[str, ...]:
    """The names of the network's parameters, in its order: those of ``names``, or all.

    Raises InputError for a name that the network lacks, and for no parameter at all.
    """
    known = [name for name, _ in network.named_parameters()]
    wanted = known if names is None else list(names)
    for name in wanted:
        if name not in known:
            raise InputError(f"the network has no parameter {name!r}; {did_you_mean(name, known)}")
    if not wanted:
        raise InputError("there is no parameter to differentiate by: name at least one")
    return tuple(name for name in known if name in set(wanted))


def detached(network: nn.Module) -> dict[str, Tensor]:
    """All parameters by name, as constants."""
    return {name: weight.detach() for name, weight in network.named_parameters()}
