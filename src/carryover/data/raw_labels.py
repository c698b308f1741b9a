"""Raw label columns as they come (lists, arrays, Arrow values): their kind, and which rows are missing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal

import numpy as np

from carryover._core.errors import InputError

Kind = Literal["named", "bool", "integer", "float", "string"]


@dataclass(frozen=True)
class RawLabels:
    """Values of one kind with a mask of the missing ones, and the names of the classes where they have them."""

    kind: Kind
    values: list[Any]
    missing: np.ndarray
    class_names: tuple[str, ...] = ()

    def take(self, rows: np.ndarray) -> "RawLabels":
        """The labels at these positions."""
        return replace(self, values=[self.values[row] for row in rows], missing=self.missing[rows])

    def name_of(self, value: Any) -> str:
        """What a class is called: its name, or its value in words (whole floats without the fraction)."""
        if self.kind == "named":
            return self.class_names[int(value)]
        if self.kind == "float" and float(value).is_integer():
            return str(int(value))
        return str(value)


def read_labels(
    values: Sequence[Any] | np.ndarray, *, name: str, class_names: Sequence[str] | None = None
) -> RawLabels:
    """The kind of a column, its plain Python values, and the rows that are missing.

    InputError for a matrix or lists (several labels an example), a mixture of text and numbers, other types
    (dates, bytes), and positions outside ``class_names``.
    """
    array_like = np.asarray(values) if isinstance(values, np.ndarray) else None
    if array_like is not None and array_like.ndim != 1:
        raise InputError(f"{name} must be one value for each example, got shape {array_like.shape}")
    items = [_plain(one) for one in (array_like.tolist() if array_like is not None else list(values))]
    if not items:
        raise InputError(f"{name} is empty: there are no examples; check the split and the row filter")
    missing = np.array([one is None or one == "" or one != one for one in items])
    if class_names is not None:
        return _named(items, missing, class_names=tuple(map(str, class_names)), name=name)
    kinds = {_kind_of(one, row, name) for row, one in enumerate(items) if not missing[row]}
    if len(kinds) > 1 and kinds != {"integer", "float"}:
        raise InputError(f"{name} mixes {' and '.join(sorted(kinds))} values: write them all in one way")
    kind: Kind = "float" if "float" in kinds else (kinds.pop() if kinds else "float")
    return RawLabels(kind, items, missing)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    return float(value) if isinstance(value, Decimal) else value


def _kind_of(value: Any, row: int, name: str) -> Kind:
    for kind, types in (("bool", bool), ("integer", int), ("float", float), ("string", str)):
        if isinstance(value, types):
            return kind
    what = "several values" if isinstance(value, (list, tuple, dict, np.ndarray)) else type(value).__name__
    raise InputError(
        f"{name} holds {what} in row {row}: a label must be one string, whole number, boolean or float"
    )


def _named(items: list[Any], missing: np.ndarray, *, class_names: tuple[str, ...], name: str) -> RawLabels:
    """Positions in ``class_names`` (or the names themselves); -1 is missing."""
    position = {one: code for code, one in enumerate(class_names)}
    codes = [position.get(one, one) if isinstance(one, str) else one for one in items]
    missing = missing | np.array([one == -1 for one in codes])
    for row, code in enumerate(codes):
        whole = isinstance(code, (int, float)) and float(code).is_integer()
        if not missing[row] and not (whole and 0 <= code < len(class_names)):
            raise InputError(
                f"{name} is {code!r} in row {row}, but it declares {len(class_names)} classes: values must be "
                f"0..{len(class_names) - 1}, or -1 where the label is missing"
            )
    positions = [None if gone else int(code) for code, gone in zip(codes, missing, strict=True)]
    return RawLabels("named", positions, missing, class_names)


def numeric(text: str) -> float | None:
    """The finite number that a string writes, or None.

    >>> numeric("10"), numeric("ten")
    (10.0, None)
    """
    try:
        number = float(text)
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def first_rows(rows: np.ndarray, limit: int = 5) -> str:
    """The first few row numbers, in words.

    >>> first_rows(np.array([3, 8]))
    'rows 3, 8'
    """
    listed = ", ".join(str(int(row)) for row in rows[:limit])
    return f"row {listed}" if len(rows) == 1 else f"rows {listed}{', ...' if len(rows) > limit else ''}"
