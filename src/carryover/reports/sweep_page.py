"""The page of ``carryover report`` and its tables: report.html beside table.parquet, all of them or none."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from carryover.experiments.rows import Row
from carryover.experiments.store import Rows
from carryover.reports import wording
from carryover.reports.canvas import NARROW, WIDE, drawing, to_svg
from carryover.reports.figure_sweep import sweep_figure
from carryover.reports.figures import Picture
from carryover.reports.publish import check_free, publish_together, write_text
from carryover.reports.sweep_measures import MeasuresView
from carryover.reports.sweep_view import MOST_CELLS, MOST_FAILED, SweepView
from carryover.reports.templating import environment, picture_markup

SWEEP_FILES = ("report.html", "table.parquet")
MEASURES = "measures.parquet"


def write_sweep_report(
    rows: Rows,
    record: Mapping[str, Any],
    folder: Path,
    *,
    measures: Sequence[Row] = (),
    result: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write the page and the table of all rows into ``folder``, together or not at all; returns the page's path.

    ``record`` is what sweep.json holds; ``result`` names the column that is drawn; ``measures`` from the sums of shards
    (:func:`carryover.experiments.shards.measures.measure_rows`) have a section and measures.parquet.
    Raises InputError where a file is there and ``overwrite`` is false, or where no result has that name.
    """
    folder = Path(folder)
    names = (*SWEEP_FILES, MEASURES) if measures else SWEEP_FILES
    check_free(folder, overwrite=overwrite, names=names)
    page = render_sweep(rows, record, measures=measures, result=result)
    writers = {"report.html": partial(write_text, page), "table.parquet": partial(_write_table, rows)}
    writers[MEASURES] = partial(_write_measures, measures)
    publish_together(folder, {name: writers[name] for name in names})
    return folder / "report.html"


def render_sweep(
    rows: Rows, record: Mapping[str, Any], *, measures: Sequence[Row] = (), result: str | None = None
) -> str:
    """The rows as a self-contained page: every name is escaped, and a content security policy forbids any request."""
    from carryover import __version__

    view = SweepView(_in_order(rows, record), result)
    cells = view.done[:MOST_CELLS]
    return (
        environment()
        .get_template("sweep.html.j2")
        .render(
            record={**record, "carryover_version": __version__},
            n_cells=len(view.cells),
            n_hidden=len(view.done) - len(cells),
            n_failed=len(view.failed),
            varying=view.varying,
            fixed=view.fixed,
            result=view.result,
            results=view.shown,
            cells=[view.cell(row) for row in cells],
            failed=[view.cell(row) for row in view.failed[:MOST_FAILED]],
            measured=MeasuresView(measures) if measures else None,
            lead=_lead(view),
            picture=picture_markup(draw_sweep(view)),
            caption=_caption(view),
            threads=", ".join(map(str, rows.threads)) or None,
            words=wording,
        )
    )


def _in_order(rows: Rows, record: Mapping[str, Any]) -> Rows:
    """Parameters in the order of the config, then those of earlier configs."""
    first = [name for name in (record["sweep"] or {}).get("over", {}) if name in rows.parameters]
    return replace(rows, parameters=tuple(dict.fromkeys((*first, *rows.parameters))))


def draw_sweep(view: SweepView) -> Picture | None:
    """The figure in both widths; None where there is no numeric parameter, or no number to draw."""
    lines, drawn = view.lines(), {}
    if not lines:
        return None
    with drawing():
        for size, width in (("wide", WIDE), ("narrow", NARROW)):
            figure = sweep_figure(lines, width, x_name=view.axes[0], y_name=view.result)
            title = f"{view.result} against {view.axes[0]}"
            description = "The numbers are in the table of cells."
            drawn[size] = to_svg(figure, f"figure-sweep-{size}", title=title, description=description)
    return Picture(**drawn)


def _lead(view: SweepView) -> str:
    if not view.failed:
        return "Every cell has a result." if len(view.cells) > 1 else "It has a result."
    if not view.done:
        return "No cell has a result."
    return f"{len(view.done):,} of {len(view.cells):,} cells have a result, {len(view.failed):,} failed."


def _caption(view: SweepView) -> str:
    """What the figure shows, and what varies besides."""
    if not view.axes:
        return ""
    others = [name for name in view.varying if name not in view.axes]
    besides = f" Each colour has a line for every combination of {', '.join(others)}." if others else ""
    return f"Dots: {view.result}. Vertical lines: 95 % intervals, where there are any.{besides}"


def _write_measures(measures: Sequence[Row], path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(list(measures)), path)


def _write_table(rows: Rows, path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(rows.table, path)
