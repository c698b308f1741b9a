"""What ``carryover reproduce`` leaves: the table, the figure, the comparisons, and a page that shows them offline."""

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from carryover.experiments.comparisons import VERDICTS, Comparison, Published
from carryover.experiments.reproduction import Reproduction
from carryover.reports import wording
from carryover.reports.canvas import drawing, to_svg
from carryover.reports.catalogue_figures import CAPTIONS, FIGURES
from carryover.reports.costs import cost_said
from carryover.reports.numbers import significant
from carryover.reports.publish import publish_together, write_text
from carryover.reports.templating import environment
from carryover.reports.theory_figures import save_figure

_SVG = "http://www.w3.org/2000/svg"
SCHEMA = "carryover.reproduction/1"
REPRODUCTION_FILES = (
    "table.csv", "table.parquet", "figure.png", "figure.svg", "comparisons.json", "report.html"
)  # fmt: skip


def write_reproduction(found: Reproduction, folder: Path) -> Path:
    """Write ``REPRODUCTION_FILES`` into ``folder``, all or none, in place of earlier ones; the page's path."""
    figure = FIGURES[found.entry.name](found.table)
    record, picture = reproduction_record(found), _svg(found, figure)
    page = render_reproduction(found, record, picture)
    publish_together(
        Path(folder),
        {
            "table.csv": partial(write_text, found.table.to_csv(index=False)),
            "table.parquet": partial(_write_parquet, found.table),
            "figure.png": partial(save_figure, figure),
            "figure.svg": partial(write_text, picture.replace("<svg ", f'<svg xmlns="{_SVG}" ', 1)),
            "comparisons.json": partial(write_text, json.dumps(record, indent=1, allow_nan=False) + "\n"),
            "report.html": partial(write_text, page),
        },
    )
    return Path(folder) / "report.html"


def reproduction_record(found: Reproduction) -> dict[str, Any]:
    """What was compared, with verdicts and the environment, as plain data."""
    return {
        "schema": SCHEMA,
        "name": found.entry.name,
        "size": found.size,
        "n_cells": found.n_cells,
        "n_computed": found.n_computed,
        "n_failed": found.n_failed,
        "seconds": round(found.seconds, 1),
        "environment": {**found.environment, "threads": "1"},
        "verdicts": counts(found.comparisons),
        "comparisons": [_plain(one) for one in found.comparisons],
    }


def counts(comparisons: tuple[Comparison, ...]) -> dict[str, int]:
    """How many of each verdict, in the order of ``VERDICTS``."""
    of = Counter(one.verdict for one in comparisons)
    return {verdict: of[verdict] for verdict in VERDICTS}


def counted(comparisons: tuple[Comparison, ...]) -> str:
    """The counts as words, without those that are 0."""
    said = [f"{n} {verdict}" for verdict, n in counts(comparisons).items() if n]
    return f"{len(comparisons)} comparisons: {', '.join(said)}."


def render_reproduction(found: Reproduction, record: Mapping[str, Any], picture: str) -> str:
    """The page around the figure, an ``<svg>`` element; names are escaped, and its policy forbids any request."""
    from carryover import __version__

    entry = found.entry
    return (
        environment()
        .get_template("reproduction.html.j2")
        .render(
            record={**record, "carryover_version": __version__},
            entry=entry,
            lead=_lead(found),
            comparisons=record["comparisons"],
            picture=Markup(picture),
            caption=CAPTIONS[entry.name],
            cost=cost_said(entry.sizes[found.size].cost),
            words=wording,
        )
    )


def _lead(found: Reproduction) -> str:
    failed = f" {found.n_failed} of {found.n_cells} cells failed." if found.n_failed else ""
    return f"{found.entry.description} {counted(found.comparisons)}{failed}"


def _svg(found: Reproduction, figure: Figure) -> str:
    title, description = found.entry.description, "The numbers are in table.csv."
    with drawing():
        return to_svg(figure, "figure-table", title=title, description=description)


def _plain(one: Comparison) -> dict[str, Any]:
    plain = dataclasses.asdict(one)
    for name in ("ours", "difference"):
        if plain[name] and plain[name]["interval"]:
            plain[name]["interval"] = list(plain[name]["interval"])
    return {**plain, "published_said": _published(one.published)}


def _published(published: Published) -> str:
    if published.value is None:
        return published.claim
    reach = published.uncertainty
    if not reach:
        return significant(published.value)
    if not published.value:
        return f"0 ± {significant(reach, 1)}"
    digits = math.floor(math.log10(abs(published.value))) - math.floor(math.log10(2.0 * reach)) + 1
    return f"{significant(published.value, max(1, digits))} ± {significant(reach, 1)}"


def _write_parquet(table: pd.DataFrame, path: Path) -> None:
    table.to_parquet(path, index=False)
