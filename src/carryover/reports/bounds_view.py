"""Views of all bounds that the page, its figure, the tables and the terminal share."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from carryover.reports.bounds_schema import KIND_OF
from carryover.reports.bounds_words import SHORT_NAMES, Entry
from carryover.reports.wording import display_name

_WORST_FIRST = ("violated", "not_checkable", "checked")


@dataclass(frozen=True)
class ShownBounds:
    """Every bound on one classifier, with a title that names the classifier."""

    title: str
    entries: tuple[Entry, ...]

    @property
    def has_null(self) -> bool:
        """Whether shuffled masks were tried for some entry."""
        return any(entry.get("null") is not None for entry in self.entries)

    def of_kind(self, kind: str) -> list[Entry]:
        """The entries of a kind, in the order of the table of kinds."""
        order = list(KIND_OF)
        found = [entry for entry in self.entries if entry["kind"] == kind]
        return sorted(found, key=lambda entry: order.index(entry["name"]))


def bounds_of_models(record: Mapping[str, Any]) -> list[ShownBounds]:
    """The models of a diagnosis that have any, in the order of the ranking and then those without a rank."""
    place = {row["name"]: index for index, row in enumerate(record["ranking"])}
    models = sorted(record["models"], key=lambda model: place.get(model["name"], len(place)))
    return [
        ShownBounds(model["name"], tuple(model["all_bounds"])) for model in models if model.get("all_bounds")
    ]


def bounds_of_run(record: Mapping[str, Any]) -> list[ShownBounds]:
    """The one classifier of a ``carryover.bounds/1`` record; nothing where it has no entries."""
    title = f"{display_name(record['model'])}, {display_name(record['plan'])}"
    return [ShownBounds(title, tuple(record["all_bounds"]))] if record["all_bounds"] else []


@dataclass(frozen=True)
class Term:
    """A term of an entry: its value (None where it is missing) and how it was obtained, where that is said."""

    name: str
    value: float | None
    how: str | None


def terms_of(entry: Entry) -> list[Term]:
    """The terms of an entry, then those that only its notes name: the missing ones."""
    notes = entry.get("term_notes") or {}
    known = [Term(name, value, notes.get(name)) for name, value in entry["terms"].items()]
    return known + [Term(name, None, how) for name, how in notes.items() if name not in entry["terms"]]


def segments(terms: Mapping[str, float], largest: float) -> Iterator[tuple[str, float, float]]:
    """Where each term's part of a bar starts and ends, in [0, ``largest``]; the last end is that of their sum.

    Terms below 0 have no part of their own: they shorten those above 0, from the first one on.
    """
    owed = -sum(value for value in terms.values() if value < 0)
    start = 0.0
    for name, value in terms.items():
        paid = min(owed, max(value, 0.0))
        owed -= paid
        end = min(start + max(value, 0.0) - paid, largest)
        if end > start:
            yield name, start, end
        start = end


@dataclass(frozen=True)
class SharedAssumption:
    """An assumption once, with the bounds that rest on it; ``models`` is empty where it concerns all."""

    text: str
    state: str
    bounds: tuple[str, ...]
    models: tuple[str, ...]


def shared_assumptions(shown: Sequence[ShownBounds]) -> list[SharedAssumption]:
    """Each assumption once for each of its states, violated ones first, with the bounds and models concerned."""
    bounds: dict[tuple[str, str], dict[str, None]] = {}
    models: dict[tuple[str, str], dict[str, None]] = {}
    for one in shown:
        for entry in one.entries:
            for assumption in entry["assumptions"]:
                key = assumption["text"], assumption["state"]
                bounds.setdefault(key, {})[SHORT_NAMES[entry["name"]]] = None
                models.setdefault(key, {})[one.title] = None
    order = sorted(bounds, key=lambda key: _WORST_FIRST.index(key[1]))
    everyone = len(shown)
    return [
        SharedAssumption(
            text=text,
            state=state,
            bounds=tuple(bounds[text, state]),
            models=tuple(models[text, state]) if len(models[text, state]) < everyone else (),
        )
        for text, state in order
    ]
