"""TOML tables into frozen dataclasses, strictly: an unknown key names its nearest match, a wrong type its place."""

import dataclasses
import functools
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from carryover._core.errors import InputError, did_you_mean

Record = TypeVar("Record")


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file; InputError where there is no such file or it does not parse."""
    if not path.is_file():
        folder = path.parent if path.parent.is_dir() else Path()
        raise InputError(f"no config file at {path}; {folder} has: {_listing(folder)}")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a TOML file: {error}") from error


def build(cls: type[Record], table: Mapping[str, Any], where: str = "") -> Record:
    """An instance of the dataclass ``cls`` from a table, nested tables included.

    Raises InputError for an unknown key, a missing one, or a value of another type than the field declares.
    """
    hints, fields = _declared(cls)
    unknown = [key for key in table if key not in fields]
    if unknown:
        raise InputError(f"unknown key {where}{unknown[0]}; {did_you_mean(unknown[0], fields)}")
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in table:
            raise InputError(f"key {where}{name} is missing")
    return cls(**{name: _convert(value, hints[name], f"{where}{name}") for name, value in table.items()})


@functools.cache
def _declared(cls: type) -> tuple[dict[str, Any], dict[str, dataclasses.Field]]:
    """The types and the fields of a dataclass by name; looked up once, since a sweep builds thousands of specs."""
    return typing.get_type_hints(cls), {field.name: field for field in dataclasses.fields(cls)}


def _convert(value: Any, hint: Any, where: str) -> Any:
    """``value`` as the type ``hint``; ints become floats and lists tuples, nothing else is converted."""
    origin, arguments, is_record = _taken_apart(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in arguments:
            return None
        return _convert(value, next(argument for argument in arguments if argument is not type(None)), where)
    if hint is Any:
        return value
    if origin is typing.Literal:
        if value in arguments:
            return value
        raise InputError(f"{where} must be one of {', '.join(map(repr, arguments))}, got {value!r}")
    if is_record:
        if isinstance(value, hint):
            return value
        if isinstance(value, Mapping):
            return build(hint, value, f"{where}.")
    elif origin is tuple and isinstance(value, list | tuple):
        return tuple(_convert(item, arguments[0], f"{where}[{i}]") for i, item in enumerate(value))
    elif origin is dict and isinstance(value, Mapping):
        return dict(value)
    elif hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    elif isinstance(hint, type) and isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    raise InputError(f"{where} must be {_say(hint)}, got {value!r}")


@functools.cache
def _taken_apart(hint: Any) -> tuple[Any, tuple[Any, ...], bool]:
    """A type's origin and arguments, and whether it is a dataclass; looked up once, as :func:`_declared` is."""
    return typing.get_origin(hint), typing.get_args(hint), dataclasses.is_dataclass(hint)


def _say(hint: Any) -> str:
    if dataclasses.is_dataclass(hint):
        return "a table"
    origin = typing.get_origin(hint)
    spoken = {tuple: "a list", dict: "a table", str: "a string", int: "a whole number", float: "a number"}
    return spoken.get(origin or hint, str(hint))


def _listing(folder: Path, limit: int = 12) -> str:
    names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    shown = ", ".join(names[:limit]) + (", ..." if len(names) > limit else "")
    return shown or "nothing"
