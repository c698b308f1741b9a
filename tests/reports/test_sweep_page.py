"""The page of a sweep: what varies, results with intervals, failures with reasons, and the table beside it."""

import re

import numpy as np
import pandas as pd
import pytest

from carryover._core.errors import InputError
from carryover._core.results import Estimate
from carryover.experiments.rows import as_columns, estimate_columns, failed_row, whole_row
from carryover.experiments.store import Rows, open_store, read_sweep_record
from carryover.reports import sweep_page
from carryover.reports.canvas import NARROW, WIDE, drawing
from carryover.reports.figure_sweep import sweep_figure
from carryover.reports.sweep_measures import MeasuresView
from carryover.reports.sweep_page import SWEEP_FILES, render_sweep, write_sweep_report
from carryover.reports.sweep_view import SweepView

HOSTILE = "<script>alert(1)</script>"


def rows_of(folder, cells, parameters) -> Rows:
    store = open_store(folder, command="adapt", sweep={"base": {"name": HOSTILE}})
    rows = [whole_row(f"{place:03d}", varies, result) for place, (varies, result) in enumerate(cells)]
    store.write(as_columns(rows), batch="b", environment={"parameters": parameters, "threads": 1})
    return store.read()


def accuracy(value, half=0.05):
    return estimate_columns("accuracy", Estimate(value, interval=(value - half, value + half)))


@pytest.fixture
def rows(tmp_path) -> Rows:
    cells = [
        (
            {"strength": strength, "plan": plan, "seed": seed, "steps": 5},
            accuracy(0.5 + 0.1 * place + 0.01 * seed),
        )
        for place, strength in enumerate((1e-6, 1e-3, 1.0))
        for plan in ("lora", HOSTILE)
        for seed in (0, 1)
    ]
    cells.append(
        ({"strength": 10.0, "plan": "lora", "seed": 0, "steps": 5}, failed_row(f"diverged {HOSTILE}"))
    )
    unsure = estimate_columns("accuracy", Estimate.missing("abstained", "too few labels"))
    cells.append(({"strength": 10.0, "plan": "lora", "seed": 1, "steps": 5}, unsure))
    return rows_of(tmp_path / "sweep", cells, ["strength", "plan", "seed", "steps"])


def page_of(rows, tmp_path, **more) -> str:
    return render_sweep(rows, read_sweep_record(tmp_path / "sweep"), **more)


def test_the_page_names_what_varies_and_shows_intervals(rows, tmp_path):
    page = page_of(rows, tmp_path)
    assert "<h1>14 cells over plan, seed, strength</h1>" in page
    assert "13 of 14 cells have a result, 1 failed." in page
    assert "0.450 to 0.550" in page or "0.45 to 0.55" in page
    assert "1 × 10⁻⁶" in page and "too few labels" in page and "5 in every cell" in page
    assert "accuracy_low" not in page and "figure-sweep-wide" in page and "figure-sweep-narrow" in page


def test_hostile_names_are_escaped_and_nothing_is_fetched(rows, tmp_path):
    page = page_of(rows, tmp_path)
    assert "<script" not in page and page.count("alert(1)") > 8
    assert "default-src 'none'" in page
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!data:|#)""", page)


def test_the_figure_has_a_line_for_each_value_of_the_second_parameter(rows):
    view = SweepView(rows)
    assert view.axes == ("seed", "plan")
    by_name = {line.name: line for line in view.lines()}
    assert set(by_name) == {"plan lora", f"plan {HOSTILE}"}
    line = by_name["plan lora"]
    assert len(line.x) == 6 and len(set(line.path)) == 3  # the abstained and the failed cell have no point
    for path in set(line.path):
        own = line.path == path
        np.testing.assert_array_equal(line.x[own], [0, 1])
        np.testing.assert_allclose(np.diff(line.y[own]), 0.01)
        np.testing.assert_allclose(line.high[own] - line.low[own], 0.1)


def test_a_figure_of_more_lines_than_colours_has_as_many(tmp_path):
    cells = [({"n": n, "plan": f"p{k}"}, {"loss": float(k + n)}) for n in (1, 2) for k in range(7)]
    lines = SweepView(rows_of(tmp_path / "sweep", cells, ["n", "plan"])).lines()
    figure = sweep_figure(lines, 800, x_name="n", y_name="loss")
    drawn = [line for axis in figure.axes for line in axis.lines if len(line.get_xdata()) == 2]
    assert len({str(line.get_color()) for line in drawn}) == 7
    assert sweep_figure([], 800, x_name="n", y_name="loss") is None


@pytest.mark.parametrize("scale", [1e-9, 1e-4, 1.0, 1e4, 1e8])
def test_the_name_of_the_axis_stands_beside_its_ticks(tmp_path, scale):
    cells = [({"n": n}, {"loss": scale * n**6}) for n in range(1, 9)]
    lines = SweepView(rows_of(tmp_path / "sweep", cells, ["n"])).lines()
    with drawing():
        for width in (WIDE, NARROW):
            figure = sweep_figure(lines, width, x_name="n", y_name="loss")
            figure.canvas.draw()
            (name,) = (text for text in figure.texts if text.get_text() == "loss")
            ticks = [one.get_window_extent() for one in figure.axes[0].get_yticklabels() if one.get_text()]
            assert ticks and all(name.get_window_extent().x1 <= tick.x0 for tick in ticks)


MEASURED = [
    {"model": name, "n": 120, "n_features": 8, "n_classes": 3, "measure": measure, **result}
    for name in ("vit", HOSTILE)
    for measure, result in [
        ("logme", {"value": 1.25, "status": "ok", "reason": None}),
        ("ridge_loo", {"value": None, "status": "failed", "reason": f"no rows of {name}"}),
        ("knn", {"value": None, "status": "not_applicable", "reason": "it needs the rows"}),
    ]
]


def test_measures_of_shards_have_a_section_with_reasons(rows, tmp_path):
    page = render_sweep(rows, read_sweep_record(tmp_path / "sweep"), measures=MEASURED)
    section = page.split('<section id="measures">')[1].split("</section>")[0]
    assert section.count("<b>1.250</b>") == 2 and "no rows of vit" in section and "<script" not in section
    assert "<th>kNN</th>" not in section and "it needs the rows" in section.split("<summary>")[1]
    assert (
        MeasuresView(MEASURED).lines()[0]
        == "vit (120 rows of 8 features): LogME 1.250, Ridge, leave-one-out failed"
    )
    assert '<section id="measures">' not in page_of(rows, tmp_path)


def test_what_varies_comes_in_the_order_of_the_config(rows, tmp_path):
    record = read_sweep_record(tmp_path / "sweep") | {
        "sweep": {"over": {"strength": [], "gone": [], "plan": []}}
    }
    page = render_sweep(rows, record)
    assert "over strength, plan, seed</h1>" in page
    assert "accuracy against strength" in page


def test_a_sweep_of_names_has_a_table_and_no_figure(tmp_path):
    rows = rows_of(
        tmp_path / "sweep", [({"plan": "a"}, accuracy(0.5)), ({"plan": "b"}, accuracy(0.6))], ["plan"]
    )
    page = page_of(rows, tmp_path)
    assert "<figure>" not in page and "<b>0.600</b>" in page and "Every cell has a result." in page


def test_a_sweep_where_all_failed_says_so(tmp_path):
    rows = rows_of(
        tmp_path / "sweep", [({"n": 1}, failed_row("no disk")), ({"n": 2}, failed_row("no luck"))], ["n"]
    )
    page = page_of(rows, tmp_path)
    assert "No cell has a result." in page and "2 cells failed" in page and "no luck" in page


def test_any_result_may_be_drawn(tmp_path):
    cells = [({"n": n}, {"loss": 1.0 / n, "size": n * n}) for n in (1, 2, 3)]
    rows = rows_of(tmp_path / "sweep", cells, ["n"])
    assert SweepView(rows).result == "loss"
    np.testing.assert_array_equal(SweepView(rows, "size").lines()[0].y, [1, 4, 9])
    with pytest.raises(InputError, match=r"no result is called 'los'; .*did you mean 'loss'"):
        page_of(rows, tmp_path, result="los")


def test_long_sweeps_are_cut_and_say_so(tmp_path, monkeypatch):
    monkeypatch.setattr(sweep_page, "MOST_CELLS", 5)
    rows = rows_of(tmp_path / "sweep", [({"n": n}, {"loss": float(n)}) for n in range(12)], ["n"])
    page = page_of(rows, tmp_path)
    assert "The first 5 cells by what varies are shown; all 12 are in" in page and page.count("<tr>") == 6


def test_page_and_table_appear_together_and_are_not_overwritten(rows, tmp_path):
    page = write_sweep_report(rows, read_sweep_record(tmp_path / "sweep"), tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(SWEEP_FILES)
    table = pd.read_parquet(tmp_path / "out" / "table.parquet")
    assert len(table) == 14 and table["accuracy"].notna().sum() == 12
    assert page.read_text().startswith("<!doctype html>")
    with pytest.raises(InputError, match=r"report.html.*--overwrite"):
        write_sweep_report(rows, read_sweep_record(tmp_path / "sweep"), tmp_path / "out")
    write_sweep_report(rows, read_sweep_record(tmp_path / "sweep"), tmp_path / "out", overwrite=True)
