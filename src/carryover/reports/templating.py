"""What every page is made with: its environment of templates, its filters, and its figures as markup."""

import json
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from carryover.reports import adaptation_view, bounds_words, numbers, wording
from carryover.reports.figures import Picture


def _finish(value: Any) -> Any:
    """What every expression of the template passes through: names lose control marks; nothing is left empty."""
    if isinstance(value, Markup):
        return value
    if value is None or value == "":
        return "–"
    return wording.display_name(value) if isinstance(value, str) else value


def picture_markup(picture: Picture | None) -> Markup:
    """Both widths of a figure, of which the style sheet shows one; empty without a figure."""
    if picture is None:
        return Markup("")
    return Markup(f'<div class="wide">{picture.wide}</div><div class="narrow">{picture.narrow}</div>')


@cache
def environment() -> Environment:
    """Templates in which every name is escaped, unknown variables are refused, and numbers pass our filters."""
    made = Environment(
        loader=PackageLoader("carryover.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finish,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "significant": numbers.significant,
        "percent": numbers.percent,
        "percent_interval": numbers.percent_interval,
        "plain_value": numbers.plain_value,
        "plain_interval": numbers.plain_interval,
        "chance": numbers.chance,
        "duration": numbers.duration,
        "whole": numbers.whole,
        "points": numbers.points,
        "level": bounds_words.level,
        "term_words": wording.term_words,
        "capitalised": lambda words: words[:1].upper() + words[1:],
        "strict_json": lambda value: json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False),
    }
    made.tests["on_map"] = lambda plan: adaptation_view.map_point(plan) is not None
    return made
