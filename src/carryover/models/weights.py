"""Weights from strangers' files: only tensors are read, all of them finite, and every key accounted for."""

import hashlib
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from carryover._core.errors import InputError

PICKLE_SUFFIXES = (".pt", ".pth", ".th", ".bin")
WRAPPERS = ("state_dict", "model_state_dict", "model")
HEADS = ("linear", "fc", "head", "classifier")
"""Names under which a network keeps its classification layer."""

_SHOWN = 8


def read_weights(path: Path) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The tensors of a .safetensors, .pt, .pth, .th or .bin file by name, and notes on what was unwrapped.

    Pickles are read with ``weights_only=True``: no code in them runs.  Raises InputError for a missing file, a
    suffix that is not read, a damaged file, a pickle with anything but tensors and plain values, and tensors
    that hold NaN or infinity.
    """
    if not path.is_file():
        raise InputError(f"no weights file {path}: {_what_is_there(path.parent)}")
    if path.suffix == ".safetensors":
        state, notes = _read_safetensors(path), ()
    elif path.suffix in PICKLE_SUFFIXES:
        state, notes = _unwrap(_read_pickle(path), path)
    else:
        raise InputError(
            f"{path} ends in {path.suffix!r}: weights are read from .safetensors, .pt, .pth and .th"
        )
    check_finite(state, str(path))
    return state, notes


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path} is damaged or is not a safetensors file ({error}): fetch it again"
        ) from error


def _read_pickle(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch's readers raise a dozen types on damaged files
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        if isinstance(error, pickle.UnpicklingError) and ("GLOBAL" in str(error) or "global" in str(error)):
            raise InputError(
                f"{path} holds code or objects other than tensors and was not loaded, because that could run "
                "anything: save model.state_dict() alone, or give a .safetensors file"
            ) from error
        raise InputError(f"{path} is truncated or is not a torch file ({first}): fetch it again") from error


def _unwrap(loaded: Any, path: Path) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The mapping of names to tensors inside a checkpoint, which may sit under one of WRAPPERS."""
    notes = []
    for wrapper in WRAPPERS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(wrapper), Mapping):
            loaded = loaded[wrapper]
            notes.append(f"Weights taken from the entry {wrapper!r} of the file.")
    is_state = isinstance(loaded, Mapping) and loaded
    if not is_state or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in loaded.items()):
        held = f"the entries {shorten(map(str, loaded))}" if is_state else f"a {type(loaded).__name__}"
        raise InputError(
            f"{path} holds {held}, not tensors by name (alone or under {', '.join(WRAPPERS)}): "
            "save model.state_dict()"
        )
    return dict(loaded), tuple(notes)


def check_finite(state: Mapping[str, Tensor], where: str) -> None:
    """Raise InputError that names the tensors with NaN or infinity."""
    bad = [name for name, tensor in state.items() if not bool(torch.isfinite(tensor).all())]
    if bad:
        raise InputError(
            f"{where} has NaN or infinity in {len(bad)} of {len(state)} tensors: {shorten(bad)}; "
            "use another checkpoint"
        )


@dataclass(frozen=True)
class WeightsFit:
    """Whether the classification layer has weights of its own, and what was removed or left out."""

    has_head: bool
    notes: tuple[str, ...] = ()


def fit_weights(module: nn.Module, state: Mapping[str, Tensor], where: str) -> WeightsFit:
    """Copy ``state`` into ``module``, every key accounted for.

    A prefix that all keys share (``module.``) is removed where the network's own names lack it.  A
    classification layer (one of HEADS) that only one side has is left out, with a note.  Raises InputError that
    lists missing, unexpected and mismatched keys with their shapes.
    """
    state, notes = _strip_prefix(dict(state), set(module.state_dict()))
    wanted = {
        name: tensor for name, tensor in module.state_dict().items() if "num_batches_tracked" not in name
    }
    given = {name: tensor for name, tensor in state.items() if "num_batches_tracked" not in name}
    missing, unexpected = wanted.keys() - given.keys(), given.keys() - wanted.keys()
    loose = {name for name in missing ^ unexpected if name.split(".")[0] in HEADS}
    shapes = {
        name: (tuple(given[name].shape), tuple(wanted[name].shape))
        for name in wanted.keys() & given.keys()
        if given[name].shape != wanted[name].shape
    }
    if (missing | unexpected) - loose or shapes:
        raise InputError(misfit(where, missing=missing, unexpected=unexpected, mismatched=shapes))
    module.load_state_dict({name: state[name] for name in state.keys() - unexpected}, strict=False)
    if loose:
        notes = (*notes, f"No classification layer taken from the file: {shorten(sorted(loose))} left out.")
    return WeightsFit(has_head=not missing, notes=notes)


def misfit(where: str, *, missing: Any, unexpected: Any, mismatched: Mapping[str, tuple[Any, Any]]) -> str:
    """The sentence that lists the keys by which weights and network differ."""
    parts = []
    if missing:
        parts.append(f"missing from the file: {shorten(sorted(missing))}")
    if unexpected:
        parts.append(f"not in the network: {shorten(sorted(unexpected))}")
    if mismatched:
        words = [
            f"{key} {shape} in the file, {other} in the network" for key, (shape, other) in mismatched.items()
        ]
        parts.append(f"other shapes: {shorten(sorted(words))}")
    return (
        f"{where} does not fit the network; {'; '.join(parts)}. "
        "Check that the network (factory, its arguments, config.json) is the one that was trained"
    )


def _strip_prefix(state: dict[str, Tensor], expected: set[str]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    removed = ""
    while state:
        first = next(iter(state)).split(".")[0] + "."
        shared = all(name.startswith(first) for name in state)
        if not shared or any(name.startswith(first) for name in expected):
            break
        state = {name.removeprefix(first): tensor for name, tensor in state.items()}
        removed += first
    return state, (f"The prefix {removed!r} of all keys was removed.",) if removed else ()


def hash_weights(module: nn.Module) -> str:
    """sha256 of names, dtypes, shapes and bytes of all parameters and buffers, by sorted name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        raw = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
        digest.update(np.ascontiguousarray(raw.numpy()).data)
    return digest.hexdigest()


def shorten(names: Any) -> str:
    """The first few names, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _what_is_there(folder: Path) -> str:
    if not folder.is_dir():
        return f"the folder {folder} does not exist either"
    return f"{folder} holds {shorten(sorted(entry.name for entry in folder.iterdir())) or 'nothing'}"
