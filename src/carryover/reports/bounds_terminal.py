"""All bounds in the terminal: one table for each classifier, those in expectation and the estimate apart."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from carryover.reports import numbers
from carryover.reports.bounds_view import ShownBounds
from carryover.reports.bounds_words import SHORT_NAMES, Entry, level, smallest_sentence, status_words
from carryover.reports.terminal import NARROW
from carryover.reports.wording import display_name

_HEADINGS = {
    "confidence": "At a confidence level",
    "expectation": "In expectation: no confidence level, and on one draw it may lie below the error",
    "estimate": "An estimate, not a bound",
}
_SIGNS = {"confidence": "≤ ", "expectation": "", "estimate": "≈ "}


def print_bounds(pairs: Iterable[tuple[str, Sequence[Entry]]], console: Console) -> None:
    """Print every bound of each (title, entries), entries as in ``all_bounds`` of docs/report_schema.md.

    Below 60 columns the tables become lists.  Names are printed as text: rich markup in them has no effect.
    """
    for title, entries in pairs:
        shown = ShownBounds(title, tuple(entries))
        console.print()
        console.print(Text(display_name(title), style="bold"))
        console.print(Text(smallest_sentence(shown.entries)))
        for kind, heading in _HEADINGS.items():
            found = shown.of_kind(kind)
            if found:
                console.print()
                console.print(Text(heading, style="dim"))
                (_print_list if console.width < NARROW else _print_table)(found, console)
        for entry in shown.of_kind("estimate"):
            _print_reasons(entry, console)


def _value(entry: Entry) -> str:
    if entry["status"] != "ok":
        return status_words(entry)
    vacuous = ", would be vacuous" if entry["kind"] == "estimate" else ", vacuous"
    return f"{_SIGNS[entry['kind']]}{level(entry['value'])}{vacuous if entry['vacuous'] else ''}"


def _truth(entry: Entry) -> str:
    truth = entry["truth"]
    if truth["status"] != "ok":
        return status_words(truth)
    interval = numbers.percent_interval(truth)
    return f"{numbers.percent(truth['value'])}{f' ({interval})' if interval else ''}"


def _ratio(entry: Entry) -> str:
    return "–" if entry["ratio"] is None else numbers.significant(entry["ratio"])


def _print_table(entries: Sequence[Entry], console: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("bound", overflow="fold", min_width=14)
    table.add_column("value", overflow="fold")
    table.add_column("true", overflow="fold")
    table.add_column("ratio", justify="right", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    for entry in entries:
        cells = (SHORT_NAMES[entry["name"]], _value(entry), _truth(entry), _ratio(entry))
        table.add_row(*map(Text, cells), Text(numbers.significant(entry["seconds"])))
    console.print(table)


def _print_list(entries: Sequence[Entry], console: Console) -> None:
    for entry in entries:
        console.print(Text(SHORT_NAMES[entry["name"]]))
        ratio = "" if entry["ratio"] is None else f", ratio {_ratio(entry)}"
        spent = f", {numbers.duration(entry['seconds'])}" if entry["status"] == "ok" else ""
        console.print(Text(f"   {_value(entry)}{ratio}{spent}"))
        console.print(Text(f"   true: {_truth(entry)}"))


def _print_reasons(entry: Entry, console: Console) -> None:
    reasons = entry.get("not_a_bound_because") or ()
    if reasons:
        console.print(Text("It is not a bound, because:"))
    for reason in reasons:
        console.print(Text(f"– {display_name(reason)}"))
