"""What adaptation runs found, in every output: only where there are runs, and escaped; what is missing is said."""

import re
from io import StringIO

import pandas as pd
import pytest
from matplotlib.colors import to_hex
from rich.console import Console

from carryover._core.errors import InputError
from carryover.reports.adaptation_schema import LOSS_PARTS
from carryover.reports.adaptation_view import adapted_runs, difference_to_winner, loss_parts
from carryover.reports.adaptation_words import run_line
from carryover.reports.canvas import NARROW, WIDE, drawing
from carryover.reports.figure_adaptation import FORECAST, adaptation_figure
from carryover.reports.figure_regime import regime_figure
from carryover.reports.html import render_report
from carryover.reports.metric import ACCURACY, R2
from carryover.reports.record import check_record
from carryover.reports.tables import write_tables
from carryover.reports.terminal import print_summary


@pytest.fixture
def adapted(examples):
    return examples.adapted_record()


@pytest.fixture
def page_of(monkeypatch):
    """Renders without figures, which are the slow part and have tests of their own."""

    names = ("ranking", "curves", "scores", "bounds", "verdicts", "adaptation", "regime")
    monkeypatch.setattr("carryover.reports.html.draw_figures", lambda record: dict.fromkeys(names))
    return render_report


def _text(html: str) -> str:
    body = re.sub(r"<(style|svg)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def _first_run(record):
    return record["models"][0]["adaptation"][0]


def _plan(record, name):
    return next(plan for plan in _first_run(record)["plans"] if plan["plan"] == name)


# The schema


def test_records_without_runs_are_still_read(examples, adapted):
    assert "adaptation" not in examples.example_record(1)["models"][0]
    check_record(examples.example_record(1))
    check_record(adapted)
    adapted["models"][0]["adaptation"] = []
    failed = examples.fail_model(adapted, 1, "truncated")
    failed["models"][1]["adaptation"] = [examples.shown_run(examples.adapt_result())]
    check_record(failed)
    assert [one.model for one in adapted_runs(failed)] == ["resnet20-cifar10"]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (["winner"], "nobody", r"adaptation\[0\]\.winner names no plan of the run: 'nobody'"),
        (["same_test"], None, r"same_test must be true or false"),
        (["plans", 0, "status"], "fine", r"plans\[0\]\.status must be one of ok"),
        (["plans", 0, "test_accuracy", "value"], None, r"test_accuracy\.value must be a number exactly"),
        (["plans", 1, "forecast", "accuracy"], 0.5, r"forecast\.accuracy must be an object"),
        (
            ["plans", 1, "regime", "learning"],
            "both",
            r"regime\.learning must be one of lazy, rich, cannot_tell",
        ),
        (["plans", 1, "regime", "evidence", "kernel_distance"], 1.0, r"kernel_distance must be an object"),
        (["plans", 1, "regime", "layers", 0, "name"], "", r"layers\[0\]\.name must be text"),
        (["plans", 2, "decomposition", "parts"], {}, r"parts\.best_constrained is missing"),
    ],
)
def test_a_wrong_field_is_named(adapted, path, value, said):
    *parents, last = path
    inner = _first_run(adapted)
    for key in parents:
        inner = inner[key]
    inner[last] = value
    with pytest.raises(InputError, match=said):
        check_record(adapted)


# The page


def test_the_sections_and_their_links_are_there_only_with_runs(pages, adapted, page_of):
    for plain in ("one", "twelve", "regression"):
        assert not re.search(r'id="(adaptation|regime)"|href="#(adaptation|regime)"', pages[plain])
    for name in ("adaptation", "regime"):
        assert f'<section id="{name}">' in pages["adapted"]
        assert f'<a href="#{name}">' in pages["adapted"]
    for plan in _first_run(adapted)["plans"]:
        plan["regime"] = None
    page = page_of(adapted)
    assert '<section id="adaptation">' in page and "regime" not in re.sub(
        r"<style>.*</style>", "", page, flags=re.S
    )


def test_the_page_says_what_the_runs_found(pages):
    text = _text(pages["adapted"])
    for said in (
        "lp_ft has the least loss on the 40 labels set aside to choose on",
        "The 400 test examples are those of this diagnosis.",
        "The 400 test examples differ from those of this diagnosis",
        "No forecast was made before the plans trained.",
        "the run had no examples of another domain",
        "fine_tuning cannot be told from the winner",
        "−1.4 points −3.9 to +1.1 points",
        "failed the kernel is zero",
        "tangent kernel ridge leave-one-out",
        "no large labelled pool was given",
        "not applicable the probe solves for the head: nothing descends",
        "lazy or rich: cannot tell",
        "pretraining: cannot tell",
        "they limit how far the features move",
        "Not measured in this run: growth of the tangent kernel along what was learned",
    ):
        assert said in text, said


def test_a_plan_without_a_regime_or_a_distance_is_said(adapted, page_of):
    _plan(adapted, "ball")["regime"]["evidence"]["without_pretraining"] = None
    _plan(adapted, "ball")["regime"]["learning"] = None
    _plan(adapted, "lora")["regime"] = None
    text = _text(page_of(adapted))
    assert "Not on the map, since one of the two is not known: ball." in text
    assert "Not measured for lora: the run was not asked for it." in text
    assert "learning: not measured" in text


def test_plans_that_failed_and_losses_without_a_limit_are_said(adapted, page_of):
    _first_run(adapted)["failed"] = [{"plan": "wild", "reason": "the loss is nan at step 3"}]
    _plan(adapted, "ball")["decomposition"]["best_is_at_most"] = None
    text = _text(page_of(adapted))
    assert "wild failed the loss is nan at step 3" in text and "no finite limit" in text


def test_hostile_names_are_text_in_both_sections(examples, adapted, page_of):
    run = _first_run(adapted)
    lora = _plan(adapted, "lora")
    run["folder"] = run["choice"] = run["winner"] = lora["plan"] = examples.HOSTILE
    lora["forecast"]["method"] = lora["regime"]["sentences"][0] = lora["regime"]["advice"][0] = (
        examples.HOSTILE
    )
    lora["regime"]["layers"][0]["name"] = _plan(adapted, "ball")["forecast"]["accuracy"]["reason"] = (
        examples.HOSTILE
    )
    page = page_of(adapted)
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 18


def test_numbers_are_compared_by_their_squared_error(examples, page_of):
    record = examples.as_numbers(examples.example_record(1, task="regression"))
    check_record(record)
    text = _text(page_of(record))
    assert "Squared error above the winner's" in text and "R² out of domain" in text
    assert "Test loss (squared error)" in text
    plan = _plan(record, "ball")
    assert difference_to_winner(plan, R2) == plan["less_than_winner"]


def test_the_difference_to_the_winner_has_its_sign_turned(adapted):
    plan = _plan(adapted, "ball")
    found, given = difference_to_winner(plan, ACCURACY), plan["less_than_winner"]
    assert found["value"] == -given["value"] < 0
    assert found["interval"] == [-given["interval"][1], -given["interval"][0]]


def test_parts_that_no_plan_has_are_told_once(adapted):
    whole, plain = adapted_runs(adapted)
    assert loss_parts(whole)[1] == []
    columns, absent = loss_parts(plain)
    assert columns == ["generalization_gap"]
    assert [one["parts"] for one in absent] == [["best_constrained", "misjudged_best", "fit_beyond_best"]]


# The figures


def _lines(record, draw, width=WIDE):
    with drawing():
        axes = draw(record, width).axes
    return [line for one in axes for line in one.lines]


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_each_plan_has_its_dot_and_its_forecast_an_open_mark(adapted, width):
    lines = _lines(adapted, adaptation_figure, width)
    dots = {float(line.get_xdata()[0]) for line in lines if line.get_marker() == "o"}
    assert dots == {plan["test_accuracy"]["value"] for plan in _first_run(adapted)["plans"]}
    marks = [line for line in lines if line.get_marker() == "D"]
    forecast = {plan["forecast"]["accuracy"]["value"] for plan in _first_run(adapted)["plans"]} - {None}
    assert {float(line.get_xdata()[0]) for line in marks} == forecast and len(forecast) == 5
    assert {line.get_markerfacecolor() for line in marks} == {"white"}
    assert {to_hex(line.get_color()) for line in marks} == {FORECAST}


def test_a_plan_without_a_test_result_keeps_its_row(examples, adapted):
    plan = _plan(adapted, "ball")
    plan["test_accuracy"] = examples.missing("failed", "no test example")
    with drawing():
        axes = adaptation_figure(adapted, WIDE).axes[0]
    assert [text.get_text() for text in axes.texts] == ["test accuracy failed"]


def test_the_map_places_each_plan_by_its_distance_and_its_order(adapted):
    lines = _lines(adapted, regime_figure)
    points = {
        (float(line.get_xdata()[0]), float(line.get_ydata()[0])): line.get_markerfacecolor() == "white"
        for line in lines
        if line.get_marker() not in ("None", "", None)
    }
    expected = {}
    for plan in _first_run(adapted)["plans"][:-1]:
        regime = plan["regime"]
        found = regime["evidence"]
        place = found["without_pretraining"]["value"], regime["order"]["value"]
        expected[place] = "cannot_tell" in (regime["learning"], regime["pretraining"])
    assert points == expected and sum(points.values()) == 2
    dashed = [line for line in lines if line.get_linestyle() == "--"]
    assert sorted(
        float(line.get_xdata()[0]) for line in dashed if line.get_ydata()[0] != line.get_ydata()[1]
    ) == [0.1]
    assert sorted(
        float(line.get_ydata()[0]) for line in dashed if line.get_ydata()[0] == line.get_ydata()[1]
    ) == [1.5]


def test_without_borders_none_is_drawn_and_none_is_spoken_of(adapted, page_of):
    for plan in _first_run(adapted)["plans"][:-1]:
        plan["regime"]["borders"] = {"learning": None, "pretraining": None}
    assert not [line for line in _lines(adapted, regime_figure) if line.get_linestyle() == "--"]
    assert "the borders that the run placed by" not in page_of(adapted)


def test_where_no_plan_has_both_there_is_no_map(adapted):
    for plan in _first_run(adapted)["plans"][:-1]:
        plan["regime"]["order"] = None
    assert regime_figure(adapted, WIDE) is None


def test_a_panel_for_every_run(examples, adapted):
    runs = adapted["models"][0]["adaptation"]
    runs.append({**runs[0], "folder": "second"})
    with drawing():
        assert [len(regime_figure(adapted, width).axes) for width in (WIDE, NARROW)] == [2, 2]


# The other outputs


def test_the_table_holds_every_estimate_of_every_plan(adapted, tmp_path):
    paths = {path.stem: path for path in write_tables(adapted, tmp_path)}
    table = pd.read_parquet(paths["adaptations"])
    rows = table.set_index(["run", "plan", "quantity"]).sort_index()
    row = rows.loc[("adapted", "ball", "forecast_accuracy")]
    assert row["status"] == "failed" and row["reason"] == "the kernel is zero" and row["value"] is pd.NA
    row = rows.loc[("adapted", "lora", "without_pretraining")]
    found = _plan(adapted, "lora")["regime"]["evidence"]["without_pretraining"]
    assert [row["value"], row["low"], row["high"]] == [found["value"], *found["interval"]]
    assert row["model"] == "resnet56-cifar10" and row["learning"] == "cannot_tell"
    assert set(table.query("is_winner")["plan"]) == {"lp_ft"}
    values = rows.loc[("adapted", "l2_sp"), "value"]
    assert sum(values[part] for part in LOSS_PARTS) == pytest.approx(values["test_loss"])
    assert "forecast_accuracy" not in rows.loc["adapted-plainly"].index.get_level_values("quantity")


def test_a_line_for_each_run_in_the_terminal(examples, adapted):
    run = _first_run(adapted)
    line = run_line(run, "resnet", ACCURACY)
    assert line == (
        "resnet, run adapted: lp_ft wins, test accuracy 81.2\u202f% (77.3 to 85.1\u202f%); forecast 80.0\u202f%; lazy; "
        "pretraining-dependent; cannot be told from fine_tuning"
    )
    _plan(adapted, "lp_ft")["test_accuracy"] = examples.missing("failed", "no test example")
    console = Console(width=300, record=True, file=StringIO(), force_terminal=False)
    print_summary(adapted, console)
    printed = console.export_text()
    assert "run adapted: lp_ft wins, test accuracy failed (no test example); forecast" in printed
    plainly = next(line for line in printed.splitlines() if "run adapted-plainly" in line)
    assert plainly.endswith("measured on other test examples than these")
