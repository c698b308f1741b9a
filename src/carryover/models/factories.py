"""Networks from a user's own code: ``file.py:function`` or ``package.module:function`` returning an nn.Module."""

import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from carryover._core.errors import InputError, did_you_mean
from carryover.models.seeding import seeded_torch


def find_factory(text: str) -> tuple[Callable[..., Any], str]:
    """The function named by ``text``, and the sha256 of the source file it lives in.

    Raises InputError where the text has no colon, the file or module is missing or fails on import, or it holds
    no such function (the functions there are listed).
    """
    place, separator, name = text.rpartition(":")
    if not separator or not place or not name:
        raise InputError(f"factory must be 'file.py:function' or 'package.module:function', got {text!r}")
    module = _module_from_file(Path(place)) if place.endswith(".py") else _module_from_name(place)
    function = getattr(module, name, None)
    if not callable(function):
        own = [
            key
            for key, value in vars(module).items()
            if inspect.isfunction(value) and not key.startswith("_")
        ]
        raise InputError(f"factory {text!r}: no function {name!r} in {place}; {did_you_mean(name, own)}")
    return function, _hash_source(module)


def _module_from_file(path: Path) -> ModuleType:
    path = path.expanduser()
    if not path.is_file():
        folder = path.parent
        there = sorted(entry.name for entry in folder.glob("*.py")) if folder.is_dir() else []
        raise InputError(f"factory file {path} does not exist; {did_you_mean(path.name, there)}")
    name = "carryover_factory_" + hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
    specification = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module  # dataclasses look their module up by name
    try:
        specification.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise InputError(f"factory file {path} failed on import: {type(error).__name__}: {error}") from error
    return module


def _module_from_name(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise InputError(
            f"factory module {name!r} could not be imported ({type(error).__name__}: {error}): "
            "install it, or give the path of a .py file"
        ) from error


def _hash_source(module: ModuleType) -> str:
    file = getattr(module, "__file__", None)
    source = Path(file).read_bytes() if file and Path(file).is_file() else b""
    return hashlib.sha256(source).hexdigest()


def build_module(text: str, arguments: Mapping[str, Any], *, seed: int) -> tuple[nn.Module, str]:
    """Call the factory with ``arguments``, random weights following ``seed``; the network and its source's hash.

    Raises InputError where the call fails or gives something other than an nn.Module.
    """
    function, source_hash = find_factory(text)
    try:
        with seeded_torch(seed):
            module = function(**arguments)
    except Exception as error:
        called = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        raise InputError(f"factory {text}({called}) failed: {type(error).__name__}: {error}") from error
    if not isinstance(module, nn.Module):
        raise InputError(f"factory {text!r} must return a torch.nn.Module, got {type(module).__name__}")
    return module, source_hash
