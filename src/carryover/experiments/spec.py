"""What a sweep is: a command, its tables, and what varies over them; read strictly from TOML, expanded to cells.

::

    [sweep]
    command = "theory"                      # theory, pretrain, adapt, diagnose or features
    kind = "grid"                           # grid: every combination; zip: one after the other; random: draws

    [base]                                  # the command's own tables
    alpha = 0.2

    [over]                                  # dotted keys
    "network.scale" = [1e-6, 1e-3, 1.0]     # a list, or for random draws { low = 1e-6, high = 1.0, log = true }
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from carryover._core.config import anchored
from carryover._core.errors import InputError
from carryover._core.seeding import derive_generator
from carryover._core.strict import build, read_toml

Assignment = dict[str, Any]
"""A cell's value of every key that varies."""


@dataclass(frozen=True)
class Range:
    """Values from ``low`` to ``high``, both included; whole numbers where both ends are; ``log``: even in logarithms.

    Raises InputError where the ends are no numbers or in the wrong order, and for logarithms of what is not positive.
    """

    low: Any
    high: Any
    log: bool = False

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise InputError(f"{name} must be a finite number, got {value!r}")
        if not self.low < self.high:
            raise InputError(f"low must be below high, got low = {self.low} and high = {self.high}")
        if self.log and self.low <= 0:
            raise InputError(f"low must be > 0 with log = true, got {self.low}")

    def draw(self, generator: np.random.Generator) -> int | float:
        whole = isinstance(self.low, int) and isinstance(self.high, int)
        if whole and not self.log:
            return int(generator.integers(self.low, self.high, endpoint=True))
        low, high = (math.log(end) if self.log else float(end) for end in (self.low, self.high))
        value = generator.uniform(low, high)
        value = min(max(math.exp(value) if self.log else value, self.low), self.high)
        return round(value) if whole else float(value)


@dataclass(frozen=True)
class SweepTable:
    """[sweep]: ``samples`` draws of kind "random" derive from ``seed`` and the keys' names; more draws keep the first.

    ``seed`` is not that of the cells: theirs is the key ``seed`` of [base], or of [over] for repeats.
    """

    command: Literal["theory", "pretrain", "adapt", "diagnose", "features"]
    kind: Literal["grid", "zip", "random"] = "grid"
    samples: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.kind == "random") != (self.samples is not None):
            raise InputError(
                f"sweep.samples goes with kind 'random', got kind {self.kind!r} and samples {self.samples}"
            )
        if self.samples is not None and self.samples < 1:
            raise InputError(f"sweep.samples must be >= 1, got {self.samples}")


@dataclass(frozen=True)
class SweepSpec:
    """A sweep as its config says it; ``over`` has dotted keys, each with a tuple of values or a :class:`Range`."""

    sweep: SweepTable
    base: dict[str, Any] = field(default_factory=dict)
    over: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "over", {key: _values(key, one) for key, one in _flat(self.over).items()})
        ranges = [key for key, values in self.over.items() if isinstance(values, Range)]
        if ranges and self.sweep.kind != "random":
            raise InputError(
                f"over.{ranges[0]} is a range, which needs sweep.kind = 'random'; give a list for kind "
                f"{self.sweep.kind!r}"
            )
        lengths = {key: len(values) for key, values in self.over.items() if isinstance(values, tuple)}
        if self.sweep.kind == "zip" and len(set(lengths.values())) > 1:
            listed = ", ".join(f"{key} has {n}" for key, n in lengths.items())
            raise InputError(f"lists of kind 'zip' must be equally long: {listed}")

    def assignments(self) -> list[Assignment]:
        """What varies, cell by cell; one empty assignment where nothing does."""
        if self.sweep.kind == "random":
            return [
                {key: self._drawn(key, values, place) for key, values in self.over.items()}
                for place in range(self.sweep.samples)
            ]
        if not self.over:
            return [{}]
        combine = zip if self.sweep.kind == "zip" else itertools.product
        return [dict(zip(self.over, values, strict=True)) for values in combine(*self.over.values())]

    def as_table(self) -> dict[str, Any]:
        """The config as plain data."""
        over = {key: asdict(one) if isinstance(one, Range) else list(one) for key, one in self.over.items()}
        return {"sweep": asdict(self.sweep), "base": self.base, "over": over}

    def _drawn(self, key: str, values: Any, place: int) -> Any:
        generator = derive_generator(self.sweep.seed, "sweep", key, place)
        if isinstance(values, Range):
            return values.draw(generator)
        return values[int(generator.integers(len(values)))]


def read_sweep(config: str | Path | Mapping[str, Any], *, path_keys: tuple[str, ...] = ()) -> SweepSpec:
    """The sweep of a TOML file, or of the same tables as a mapping.

    Relative paths in a file, the values of ``path_keys`` in [base] and [over], count from the file's folder.
    Raises InputError for unknown keys and wrong types.
    """
    if isinstance(config, Mapping):
        return build(SweepSpec, config)
    path = Path(config)
    spec = build(SweepSpec, read_toml(path))
    folder = path.resolve().parent
    over = {
        key: tuple(anchored({key.split(".")[-1]: list(values)}, folder, path_keys)[key.split(".")[-1]])
        if isinstance(values, tuple)
        else values
        for key, values in spec.over.items()
    }
    return SweepSpec(spec.sweep, anchored(spec.base, folder, path_keys), over)


def overlaid(tables: Mapping[str, Any], assignment: Assignment) -> dict[str, Any]:
    """The tables with the assignment's values at its dotted keys; a whole number names a place in a list of tables.

    Raises InputError for a key that leads through something that is neither a table nor a list.

    >>> overlaid({"models": [{"path": "a"}]}, {"models.0.path": "b", "seed": 1})
    {'models': [{'path': 'b'}], 'seed': 1}
    """
    found = dict(tables)
    for key, value in assignment.items():
        found = _set(found, key.split("."), value, key)
    return found


def _set(tables: Any, keys: list[str], value: Any, whole: str) -> Any:
    head, *rest = keys
    if isinstance(tables, list | tuple):
        if not head.isdecimal() or int(head) >= len(tables):
            raise InputError(f"over.{whole}: {head!r} must be a place from 0 to {len(tables) - 1} of a list")
        changed = list(tables)
        changed[int(head)] = _set(tables[int(head)], rest, value, whole) if rest else value
        return changed
    if not isinstance(tables, Mapping):
        raise InputError(f"over.{whole} leads through {tables!r}, which is no table")
    return {**tables, head: _set(tables.get(head, {}), rest, value, whole) if rest else value}


def _flat(tables: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """Dotted keys, whether the file quotes them or not; a table with ``low`` and ``high`` is a range."""
    flat: dict[str, Any] = {}
    for key, value in tables.items():
        if isinstance(value, Mapping) and not {"low", "high"} & set(value):
            flat |= _flat(value, f"{where}{key}.")
        else:
            flat[f"{where}{key}"] = value
    return flat


def _values(key: str, value: Any) -> tuple[Any, ...] | Range:
    if isinstance(value, Range):
        return value
    if isinstance(value, Mapping):
        try:
            return build(Range, value)
        except InputError as error:
            raise InputError(f"over.{key}: {error}") from error
    if not isinstance(value, list | tuple):
        raise InputError(f"over.{key} must be a list, or a table with low and high, got {value!r}")
    if not value:
        raise InputError(f"over.{key} must have at least one value, got an empty list")
    return tuple(value)
