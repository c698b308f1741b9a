"""Which numbers of a forward pass are the features: the pooled ones, the class token, or a named layer's."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

import torch
from torch import Tensor, nn

from carryover._core.errors import InputError
from carryover.models.records import Readout

Side = Literal["input", "output"]


@dataclass(frozen=True)
class FeatureFunction:
    """One forward pass: run the network, take a value on the way, reduce it to a matrix.

    ``run`` maps floats (n, c, h, w) to the network's output.  The value taken is the first input or the output
    of ``watched`` (of its last call where it runs several times), or the network's own output where ``watched``
    is None; ``reduce`` makes it (n, d).  ``logits`` picks the source head's logits out of the output, or None.
    ``words`` says in a sentence's part what is taken.
    """

    run: Callable[[Tensor], Any]
    reduce: Callable[[Any], Tensor]
    words: str
    watched: nn.Module | None = None
    side: Side = "output"
    logits: Callable[[Any], Tensor | None] | None = None

    def __call__(self, batch: Tensor) -> Readout:
        output, taken = self.run_and_take(batch)
        features = self.reduce(taken)
        _check_matrix(features, len(batch), self.words)
        return Readout(features, self.logits(output) if self.logits is not None else None)

    def run_and_take(self, batch: Tensor) -> tuple[Any, Any]:
        """The network's output, and the value that the features are made of."""
        with _watching(self.watched, self.side) as seen:
            try:
                output = self.run(batch)
            except torch.OutOfMemoryError as error:
                raise InputError(
                    f"out of memory on a batch of {len(batch)} images: lower batch_size"
                ) from error
            except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
                if isinstance(error, InputError):
                    raise
                first = (str(error).strip() or type(error).__name__).splitlines()[0]
                raise InputError(
                    f"the network failed on a batch of shape {tuple(batch.shape)}: {first}; "
                    "check image_size and the number of channels"
                ) from error
        if self.watched is not None and not seen:
            raise InputError(f"{self.words}: that layer does not run in the forward pass; name another layer")
        return output, seen[-1] if self.watched is not None else output


@contextmanager
def _watching(module: nn.Module | None, side: Side) -> Iterator[list[Any]]:
    """Values that pass through ``module`` while the context is open."""
    seen: list[Any] = []
    if module is None:
        yield seen
        return
    if side == "input":
        handle = module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    else:
        handle = module.register_forward_hook(lambda _, __, output: seen.append(output))
    try:
        yield seen
    finally:
        handle.remove()


def _check_matrix(features: Any, n: int, words: str) -> None:
    if not isinstance(features, Tensor) or not features.is_floating_point():
        raise InputError(
            f"{words}: got {describe_value(features)}, not a tensor of floats; name another layer"
        )
    if features.ndim != 2 or len(features) != n or features.shape[1] < 1:
        raise InputError(f"{words}: got shape {tuple(features.shape)} for {n} images, not (n, features)")


def describe_value(value: Any) -> str:
    """A few words for a value in an error message."""
    return f"a tensor of {value.dtype}" if isinstance(value, Tensor) else f"a {type(value).__name__}"


def average_positions(value: Any) -> Tensor:
    """(n, d) as it is; (n, tokens, d) averaged over tokens; (n, d, h, w) averaged over space."""
    tensor = _first_tensor(value)
    if tensor.ndim == 2:
        return tensor
    if tensor.ndim == 3:
        return tensor.mean(dim=1)
    if tensor.ndim == 4:
        return tensor.mean(dim=(2, 3))
    raise InputError(
        f"a feature must have shape (n, d), (n, tokens, d) or (n, d, h, w), got {tuple(tensor.shape)}"
    )


def flatten_positions(value: Any) -> Tensor:
    """Every number of the value, (n, everything else)."""
    tensor = _first_tensor(value)
    if tensor.ndim < 2:
        raise InputError(f"a feature must have at least two dimensions, got shape {tuple(tensor.shape)}")
    return tensor.flatten(1)


def class_token(value: Any) -> Tensor:
    """The first of (n, tokens, d)."""
    tensor = _first_tensor(value)
    if tensor.ndim != 3:
        raise InputError(
            f"layer 'cls' needs an output of shape (n, tokens, d), got {tuple(tensor.shape)}: take 'pooled' or "
            "the name of a layer"
        )
    return tensor[:, 0]


def _first_tensor(value: Any) -> Tensor:
    """A tensor, the first of a tuple, or ``last_hidden_state`` of a transformers output."""
    value = getattr(value, "last_hidden_state", value)
    if isinstance(value, tuple) and value:
        value = value[0]
    if not isinstance(value, Tensor):
        raise InputError(
            f"a layer's output must be a tensor, got {describe_value(value)}; name another layer"
        )
    return value


def named_layer(
    module: nn.Module,
    layer: str,
    *,
    run: Callable[[Tensor], Any],
    logits: Callable[[Any], Tensor | None] | None = None,
) -> FeatureFunction:
    """The output of a submodule, averaged over positions, or flattened where ``layer`` ends in ``:flatten``.

    Raises InputError for a name that the network lacks, with near matches.
    """
    name, _, ending = layer.partition(":")
    if ending not in ("", "flatten"):
        raise InputError(f"layer {layer!r} must be a submodule's name, alone or followed by ':flatten'")
    layers = dict(module.named_modules())
    if name not in layers or not name:
        near = get_close_matches(name, layers, n=6, cutoff=0.4)
        parts = ", ".join(child for child, _ in module.named_children()) or "none"
        raise InputError(
            f"no layer {name!r} in {type(module).__name__}; near matches: {', '.join(near) or 'none'}; "
            f"its parts: {parts}"
        )
    how = "flattened" if ending else "averaged over positions"
    return FeatureFunction(
        run=run,
        reduce=flatten_positions if ending else average_positions,
        words=f"the output of layer {name!r}, {how}",
        watched=layers[name],
        logits=logits,
    )
