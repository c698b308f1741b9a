"""The record of ``carryover bounds`` as a page of its own: bounds.html beside bounds.json, both or neither."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from carryover.reports import wording
from carryover.reports.bounds_schema import check_bounds_record
from carryover.reports.bounds_section import all_bounds_section
from carryover.reports.bounds_view import bounds_of_run
from carryover.reports.bounds_words import smallest_sentence
from carryover.reports.figures import draw_bounds_of_run
from carryover.reports.publish import check_free, publish_together, write_text
from carryover.reports.record import strict_json
from carryover.reports.templating import environment, picture_markup

BOUNDS_FILES = ("bounds.json", "bounds.html")


def check_bounds_free(folder: Path, *, overwrite: bool = False) -> None:
    """Refuse a folder that holds such files already; call it before the long work starts.

    Raises:
        InputError: naming the existing file and ``--overwrite``; or when ``folder`` is not a folder.
    """
    check_free(folder, overwrite=overwrite, names=BOUNDS_FILES)


def render_bounds(record: Mapping[str, Any]) -> str:
    """The record as a self-contained HTML page: the section on all bounds that a diagnosis has, alone.

    Every name of the record is escaped, and a content security policy forbids any request.

    Raises:
        InputError: when the record does not meet the schema ``carryover.bounds/1``.
    """
    check_bounds_record(record)
    return (
        environment()
        .get_template("bounds_page.html.j2")
        .render(
            record=record,
            target=record["target"],
            answer=smallest_sentence(record["all_bounds"]),
            pictures={"all_bounds": picture_markup(draw_bounds_of_run(record))},
            words=wording,
            bounds_titled=False,
            **all_bounds_section(bounds_of_run(record), record["all_bounds_of"]),
        )
    )


def write_bounds_page(record: Mapping[str, Any], folder: Path, overwrite: bool = False) -> Path:
    """Write bounds.json and bounds.html into ``folder``, together or not at all; returns the path of the page.

    Whatever else the folder holds stays.

    Raises:
        InputError: when a file is there and ``overwrite`` is false, or the record does not meet its schema.
        DiskFullError: when no space is left; nothing half-written remains.
    """
    folder = Path(folder)
    check_bounds_free(folder, overwrite=overwrite)
    page = render_bounds(record)
    publish_together(
        folder,
        {
            "bounds.json": partial(write_text, strict_json(record)),
            "bounds.html": partial(write_text, page),
        },
    )
    return folder / "bounds.html"
