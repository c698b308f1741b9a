"""``--set KEY=VALUE``: any key of a config, from the command line."""

import tomllib
from collections.abc import Sequence
from typing import Annotated, Any

import tyro

from carryover._core.errors import InputError

SetFlag = Annotated[
    tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(name="set", metavar="KEY=VALUE")
]


def assigned(pairs: Sequence[str]) -> dict[str, Any]:
    """The dotted keys with their values; a value is read as TOML where it is TOML, else as text.

    Raises InputError for a pair without "=" and for a key that is not dotted names.

    >>> assigned(["train.warmup_steps=10", "objective.kind=mae", "mean=[0.5]"])
    {'train.warmup_steps': 10, 'objective.kind': 'mae', 'mean': [0.5]}
    """
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        key = key.strip()
        if not equals or not all(part.isidentifier() for part in key.split(".")):
            raise InputError(f"--set must be KEY=VALUE with a key such as train.steps, got {pair!r}")
        found[key] = _value(value.strip())
    return found


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
