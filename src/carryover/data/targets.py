"""What is to be predicted: raw label values become class codes 0..K-1 with names, or a regression target."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from carryover._core.errors import InputError
from carryover.data.raw_labels import RawLabels, first_rows, numeric, read_labels

Task = Literal["classification", "regression"]
MAX_INFERRED_CLASSES = 100


@dataclass(frozen=True)
class Targets:
    """A target ready for measuring.

    ``values`` (m,) are int64 codes 0..K-1, every class present, or float64; ``class_names`` has K entries
    (none for regression); ``rows`` (m,) are the positions in the input that were kept (all, unless
    dropping was asked for); ``notes`` are sentences about what was inferred or left out.
    """

    task: Task
    values: np.ndarray
    class_names: tuple[str, ...]
    rows: np.ndarray
    notes: tuple[str, ...] = ()

    @property
    def n_classes(self) -> int:
        return len(self.class_names)


def encode_targets(
    values: Sequence[Any] | np.ndarray,
    *,
    task: Task | None = None,
    class_names: Sequence[str] | None = None,
    drop_missing: bool = False,
    drop_rare: bool = False,
    min_per_class: int = 2,
    name: str = "label",
) -> Targets:
    """Class codes or a regression target from a column of raw values.

    Values may be strings, whole numbers with gaps, booleans, or floats; classes are sorted numerically
    where every value reads as a number, else lexicographically.  With ``class_names`` (a ClassLabel
    feature) values are positions in it, -1 is missing, and classes without an example are left out.
    Missing are None, NaN and the empty string.  ``min_per_class`` is 2, one to train and one to test on;
    use 1 for a column that was split already.

    ``task`` None is inferred (:func:`infer_task`).  InputError, naming ``name``, rows and what to do:
    missing values unless ``drop_missing``; a constant target; classes with fewer than ``min_per_class``
    examples unless ``drop_rare``; fewer examples than declared classes; infinite regression values.

    >>> encode_targets(["b", "a", "b", "a"]).values
    array([1, 0, 1, 0])
    """
    if task not in (None, "classification", "regression"):
        raise InputError(f"task must be 'classification' or 'regression', got {task!r}")
    raw = read_labels(values, name=name, class_names=class_names)
    raw, rows, notes = _without_missing(raw, drop_missing, name)
    if task is None:
        task, why = infer_task(raw)
        notes.append(f"{name}: taken as {task}, {why}.")
    if task == "regression":
        return Targets("regression", _regression_values(raw, rows, name), (), rows, tuple(notes))
    codes, names = _codes(raw, name)
    if drop_rare:
        codes, names, rows, note = _without_rare(codes, names, rows, min_per_class=min_per_class, name=name)
        notes += note
    n_declared = len(class_names) if class_names is not None else len(names)
    _check_counts(codes, names, n_declared=n_declared, min_per_class=min_per_class, name=name)
    return Targets("classification", codes, names, rows, tuple(notes))


def encode_like(
    values: Sequence[Any] | np.ndarray,
    reference: Targets,
    *,
    class_names: Sequence[str] | None = None,
    drop_missing: bool = False,
    name: str = "label",
) -> Targets:
    """Encode a second column (a test split) with the classes of ``reference``.

    Not every class needs to occur.  InputError for a class that ``reference`` lacks, or missing values.
    """
    raw = read_labels(values, name=name, class_names=class_names)
    raw, rows, notes = _without_missing(raw, drop_missing, name)
    if reference.task == "regression":
        finite = _finite_floats(raw, rows, name)
        return Targets("regression", finite, (), rows, tuple(notes))
    position = {one: code for code, one in enumerate(reference.class_names)}
    present = [str(raw.name_of(one)) for one in raw.values]
    unknown = sorted(set(present) - position.keys())
    if unknown:
        raise InputError(
            f"{name} has classes that the training labels lack: {_listed(unknown)}. "
            f"Known are: {_listed(reference.class_names)}. Remove these examples or add them to the training set"
        )
    codes = np.array([position[one] for one in present], dtype=np.int64)
    return Targets("classification", codes, reference.class_names, rows, tuple(notes))


def infer_task(raw: RawLabels) -> tuple[Task, str]:
    """The task a column of values asks for, and why.

    Classification: named classes, booleans, strings, and whole numbers of at most 100 distinct values with
    at least two examples each on average.  Regression: floats with a fraction, and any other numbers.
    """
    if raw.kind in ("named", "bool", "string"):
        kinds = {"named": "its values are named classes", "bool": "its values are booleans"}
        return "classification", kinds.get(raw.kind, "its values are strings")
    numbers = np.asarray(raw.values, dtype=np.float64)
    if not np.isfinite(numbers).all() or (numbers != np.round(numbers)).any():
        return "regression", "its values have fractions"
    n_distinct = len(np.unique(numbers))
    if n_distinct <= MAX_INFERRED_CLASSES and 2 * n_distinct <= len(numbers):
        return "classification", f"its values are whole numbers, {n_distinct} of them distinct"
    return "regression", f"its values are numbers, {n_distinct} of them distinct among {len(numbers)}"


def _without_missing(raw: RawLabels, drop: bool, name: str) -> tuple[RawLabels, np.ndarray, list[str]]:
    missing = np.flatnonzero(raw.missing)
    rows = np.flatnonzero(~raw.missing)
    if not len(missing):
        return raw, rows, []
    what = f"{name} is missing in {len(missing):,} of {len(raw.missing):,} rows ({first_rows(missing)})"
    if not len(rows):
        raise InputError(f"{what}: there is no labelled example; give a column that has labels")
    if not drop:
        raise InputError(f"{what}: remove them, or ask for them to be dropped (drop_missing)")
    return raw.take(rows), rows, [f"{what}; they were dropped."]


def _codes(raw: RawLabels, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Codes in 0..K-1 over the classes that occur, with their names in order."""
    if raw.kind == "string":
        distinct = sorted(set(raw.values))
        as_numbers = [numeric(one) for one in distinct]
        if None not in as_numbers:
            distinct = [one for _, one in sorted(zip(as_numbers, distinct, strict=True))]
        position = {one: code for code, one in enumerate(distinct)}
        return np.array([position[one] for one in raw.values], dtype=np.int64), tuple(distinct)
    array = np.asarray(raw.values)
    if raw.kind == "float" and not np.isfinite(array).all():
        raise InputError(f"{name} has infinite values, which cannot be classes: remove those examples")
    present, codes = np.unique(array, return_inverse=True)
    return codes.astype(np.int64), tuple(str(raw.name_of(one)) for one in present.tolist())


def _without_rare(
    codes: np.ndarray, names: tuple[str, ...], rows: np.ndarray, *, min_per_class: int, name: str
) -> tuple[np.ndarray, tuple[str, ...], np.ndarray, list[str]]:
    counts = np.bincount(codes, minlength=len(names))
    rare = counts < min_per_class
    if not rare.any():
        return codes, names, rows, []
    if rare.all():
        raise InputError(f"every class of {name} has fewer than {min_per_class} examples: none would be left")
    kept = ~rare[codes]
    dropped = _listed([names[code] for code in np.flatnonzero(rare)])
    note = (
        f"{name}: classes with fewer than {min_per_class} examples were dropped, "
        f"{int((~kept).sum())} examples in all: {dropped}."
    )
    recode = np.cumsum(~rare) - 1
    kept_names = tuple(names[code] for code in np.flatnonzero(~rare))
    return recode[codes[kept]], kept_names, rows[kept], [note]


def _check_counts(
    codes: np.ndarray, names: tuple[str, ...], *, n_declared: int, min_per_class: int, name: str
) -> None:
    if len(names) < 2:
        only = f"only {names[0]!r} occurs" if names else "it has no examples"
        raise InputError(
            f"{name} is constant ({only} in {len(codes)} examples): two or more classes are needed; "
            "check the column and the row filter"
        )
    counts = np.bincount(codes, minlength=len(names))
    rare = np.flatnonzero(counts < min_per_class)
    if len(rare) and len(codes) < n_declared:
        raise InputError(
            f"{name} has {len(codes)} examples for {n_declared} classes, fewer examples than classes: at least "
            f"{min_per_class} of each class are needed; label more examples or merge classes"
        )
    if len(rare):
        listed = _listed([f"{names[code]} ({counts[code]})" for code in rare])
        noun, verb = ("class", "has") if len(rare) == 1 else ("classes", "have")
        raise InputError(
            f"{len(rare)} {noun} of {name} {verb} fewer than {min_per_class} examples: {listed}. At least "
            f"{min_per_class} are needed, to train and to test on: merge such classes or drop them (drop_rare)"
        )


def _finite_floats(raw: RawLabels, rows: np.ndarray, name: str) -> np.ndarray:
    if raw.kind in ("string", "named"):
        raise InputError(f"{name} holds names, not numbers: a regression target must be numeric")
    values = np.asarray(raw.values, dtype=np.float64)
    infinite = np.flatnonzero(~np.isfinite(values))
    if len(infinite):
        raise InputError(
            f"{name} is infinite in {len(infinite):,} of {len(values):,} rows ({first_rows(rows[infinite])}): "
            "remove those examples"
        )
    return values


def _regression_values(raw: RawLabels, rows: np.ndarray, name: str) -> np.ndarray:
    values = _finite_floats(raw, rows, name)
    if len(values) < 2:
        raise InputError(f"{name} has {len(values)} examples: a regression target needs at least 2")
    if values.min() == values.max():
        raise InputError(
            f"{name} is constant ({values[0]:g} in all {len(values)} examples): there is nothing to predict; "
            "check the column and the row filter"
        )
    return values


def _listed(names: Sequence[str], limit: int = 10) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(map(str, names[:limit])) + more
