"""docs/notation.md names only what exists."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "notation.md"
PACKAGES = ("theory", "measures", "models", "bounds", "diagnosis")
NAME = re.compile(rf"`((?:(?:{'|'.join(PACKAGES)})\.|\.)[\w.]+)(?:\((\w+)\))?`")


def names_on_the_page() -> list[tuple[str, str | None]]:
    """Dotted names below carryover and the argument in parentheses; `.field` belongs to the class named before it."""
    found, owner = [], ""
    for row in PAGE.read_text().splitlines():
        for name, argument in NAME.findall(row):
            if name.startswith("."):
                name = owner.rpartition(".")[0] + name if owner.rpartition(".")[2].islower() else owner + name
            else:
                owner = name
            found.append((name, argument or None))
    return found


def resolve(name: str) -> object:
    """What a dotted name below carryover stands for; fields of data classes count."""
    parts = name.split(".")
    owner, depth = importlib.import_module(f"carryover.{parts[0]}"), 1
    while depth < len(parts) and not hasattr(owner, parts[depth]):
        try:
            owner = importlib.import_module("carryover." + ".".join(parts[: depth + 1]))
        except ModuleNotFoundError:
            break
        depth += 1
    for part in parts[depth:]:
        if part in getattr(owner, "__dataclass_fields__", {}):
            return part
        owner = getattr(owner, part)
    return owner


@pytest.mark.parametrize(("name", "argument"), sorted(set(names_on_the_page()), key=str))
def test_name_exists(name: str, argument: str | None) -> None:
    found = resolve(name)
    if argument:
        assert argument in inspect.signature(found).parameters


def test_page_names_most_of_the_theory() -> None:
    assert len({name for name, _ in names_on_the_page() if name.startswith("theory.")}) >= 35


def test_what_does_not_exist_is_found_out() -> None:
    for name in ("theory.Network.relativ_scale", "theory.no_such_module", "measures.heterogeneity.nothing"):
        with pytest.raises((AttributeError, ModuleNotFoundError)):
            resolve(name)


def test_every_row_says_where() -> None:
    rows = [row for row in PAGE.read_text().splitlines() if row.startswith("| ")]
    for row in rows:
        assert len(re.split(r"(?<!\\)\|", row)) == 6, row
