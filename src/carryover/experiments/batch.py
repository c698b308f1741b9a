"""A batch of cells as it travels to a worker: as columns, in half the time of a list of cells."""

import gc
import pickle
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from carryover.experiments.compute import Cell
from carryover.experiments.rows import Columns


@dataclass(frozen=True)
class Batch:
    """The name of a segment, its cells, and the segments of that name that were there before the sweep began.

    Of the cells their ids, their specs, and by the name of each parameter its values, None for cells without it.
    """

    name: str
    ids: tuple[str, ...]
    specs: tuple[Any, ...]
    parameters: Columns
    seen: frozenset[str] = frozenset()

    @classmethod
    def of(cls, cells: Sequence[Cell], name: str, seen: Iterable[str] = ()) -> "Batch":
        """The cells in their order."""
        keys = dict.fromkeys(chain.from_iterable([cell.parameters for cell in cells]))
        return cls(
            name,
            tuple([cell.id for cell in cells]),
            tuple([cell.spec for cell in cells]),
            {key: tuple([cell.parameters.get(key) for cell in cells]) for key in keys},
            frozenset(seen),
        )

    @property
    def cells(self) -> list[Cell]:
        """One by one."""
        varying = zip(*self.parameters.values(), strict=True) if self.parameters else [()] * len(self.ids)
        return [
            Cell(ident, spec, dict(zip(self.parameters, values, strict=True)))
            for ident, spec, values in zip(self.ids, self.specs, varying, strict=True)
        ]

    def __reduce__(self) -> tuple[Any, ...]:
        """Specs of the library travel as plain pickles of their states; those of scripts need cloudpickle."""
        given = (self.name, self.ids, self.parameters, self.seen)
        kinds = set(map(type, self.specs))
        if len(kinds) != 1 or not (kind := kinds.pop()).__module__.startswith("carryover."):
            return _as_given, (self.specs, given)
        return _from_states, (kind, pickle.dumps((list(map(vars, self.specs)), given), protocol=5))


def _as_given(specs: tuple[Any, ...], given: tuple[Any, ...]) -> Batch:
    name, ids, parameters, seen = given
    return Batch(name, ids, specs, parameters, seen)


def _from_states(kind: type, packed: bytes) -> Batch:
    collects = gc.isenabled()
    gc.disable()  # thousands of objects at once, none of them garbage: looking for some takes longer than loading them
    try:
        states, given = pickle.loads(packed)
        specs = []
        for state in states:
            spec = object.__new__(kind)
            object.__setattr__(spec, "__dict__", state)
            specs.append(spec)
        return _as_given(tuple(specs), given)
    finally:
        if collects:
            gc.enable()
