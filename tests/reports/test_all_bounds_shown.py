"""All bounds shown: page, figure and table; kinds apart, names escaped."""

import re
from collections import Counter

import pandas as pd
import pytest

from carryover.reports.bounds_words import NAMES
from carryover.reports.canvas import NARROW, WIDE, drawing
from carryover.reports.figure_all_bounds import ESTIMATE, EXPECTATION, NULL_MARK, all_bounds_figure
from carryover.reports.figures import draw_bounds_of_run
from carryover.reports.html import render_report
from carryover.reports.tables import write_tables

HEADINGS = (
    "Every bound, side by side",
    "In expectation",
    "Estimate of the transfer bound, which is not a bound",
)


@pytest.fixture
def compared(examples):
    return examples.compared_record()


@pytest.fixture
def page_of(monkeypatch):
    """Renders without figures, which are the slow part and have tests of their own."""
    names = ("ranking", "curves", "scores", "bounds", "verdicts", "adaptation", "regime", "all_bounds")
    monkeypatch.setattr("carryover.reports.html.draw_figures", lambda record: dict.fromkeys(names))
    return render_report


def _text(html):
    body = re.sub(r"<(style|svg)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())  # narrow spaces become plain ones


def _section(html):
    return _text(html[html.index('<section id="all-bounds">') : html.index('<section id="measured-on">')])


# The page


def test_the_section_is_there_only_where_a_model_has_bounds(examples, page_of, compared):
    without = page_of(examples.example_record(1))
    assert "all-bounds" not in without and HEADINGS[0] not in without
    page = page_of(compared)
    assert '<a href="#all-bounds">' in page
    assert page.index('<section id="bounds">') < page.index('<section id="all-bounds">')
    for model in compared["models"]:
        model.pop("all_bounds", None)
    assert "all-bounds" not in page_of(compared)
    compared["models"][0]["all_bounds"] = []
    assert "all-bounds" not in page_of(compared)


def test_kinds_stand_apart_in_their_order(page_of, compared):
    said = _section(page_of(compared))
    places = [said.index(heading) for heading in HEADINGS]
    assert places == sorted(places)
    for name in ("holdout", "adapted_head"):
        assert places[0] < said.index(NAMES[name]) < places[1]
    for name in ("loss_difference_cmi", "prediction_cmi", "xu_raginsky"):
        assert places[1] < said.index(NAMES[name]) < places[2]
    assert said.count("These have no confidence level") == 2  # one for each model with such bounds
    assert "on one draw such a bound may lie below the error" in said
    assert said.count("Where the masks are shuffled there is nothing to know") == 2
    assert "information 28.0 % (with shuffled masks 19.0 %, at most 22.0 %)" in said


def test_the_estimate_is_never_a_bound_and_its_terms_say_where_they_are_from(page_of, compared):
    said = _section(page_of(compared))
    assert (
        "≈ 270.0 % would be vacuous . This is an estimate, not a bound. What it is of: estimate of a" in said
    )
    assert "It is not a bound, because:" in said and "total_variation is known from below only" in said
    assert "total variation 172.0 % total variation 0.86, what a linear test separates" in said
    assert (
        "There is no total: abstained residual is not known: no other encoder is at hand . This is an" in said
    )
    assert "residual missing not known: no other encoder is at hand" in said


def test_values_truths_and_reasons_stand_in_the_rows(page_of, compared):
    said = _section(page_of(compared))
    row = said[said.index("PAC-Bayes (prior from half the labels) ≤") :]
    assert row.startswith("PAC-Bayes (prior from half the labels) ≤ 38.0 % error rate of the Gibbs")
    assert "true value: 26.0 % 23.5 to 28.5 % 1.46 training gibbs error 24.0" in row
    assert "failed the head could not be rounded to any &lt;grid&gt;" in said
    assert "not applicable the head was not fine-tuned" in said
    assert "≤ 235.0 % vacuous" in said
    assert "1.5 times the test error it bounds." in said
    assert "At a confidence level every bound besides hold-out is vacuous" in said
    assert "from 500 labels, of which a prior that is made from labels takes 250, at 95 % confidence" in said
    assert (
        "Unlabelled examples for the disagreement (5000): images of cifar100-train that no model saw. Computing"
        in said
    )


def test_a_contradicted_bound_is_marked(examples, page_of, compared):
    entry = compared["models"][0]["all_bounds"][3]
    assert "below the measured value" not in page_of(compared)
    entry |= {"truth": examples.est(0.5, 0.01), "ratio": entry["value"] / 0.5}
    assert page_of(compared).count("below the measured value") == 1


def test_shared_assumptions_stand_once_with_their_badges(page_of, compared):
    page = page_of(compared)
    said = page[page.index("What all of these take for granted") : page.index("What each bound is")]
    assert said.count("The labelled examples are independent draws from one law.") == 1
    assert said.index("badge violated") < said.index("badge not_checkable") < said.index("badge checked")
    assert "Only resnet56-cifar10" in said  # the other model has no bound that rests on it


def test_hostile_text_is_escaped(examples, page_of, compared):
    hostile = examples.HOSTILE + "\x07"
    entries = compared["models"][0]["all_bounds"]
    entries[0]["bounded"] = entries[5]["reason"] = entries[0]["assumptions"][0]["text"] = hostile
    entries[0]["terms"] |= {hostile: 0.0}
    entries[-1]["truth"]["reason"] = entries[-1]["not_a_bound_because"][0] = hostile
    entries[-1]["term_notes"] |= {hostile: hostile}
    compared["all_bounds_of"]["unlabelled"] = hostile
    examples.rename(compared, 0, hostile)
    page = page_of(compared)
    assert "<script" not in page and "\x07" not in page
    assert page.count("alert(1)") >= 14


# The figure


def _artists(figure):
    axes = figure.axes[0]
    bars = Counter(container.get_label().partition(":")[0] for container in axes.containers)
    return bars + Counter(line.get_label() for line in axes.lines if not line.get_label().startswith("_"))


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_the_figure_draws_terms_truths_nulls_hatches_and_the_estimate(examples, width):
    record = examples.compared_record()
    del record["models"][1]["all_bounds"]
    entries = record["models"][0]["all_bounds"]
    with drawing():
        figure = all_bounds_figure(record, width)
    drawn = _artists(figure)
    assert drawn["vacuous"] == sum(bool(entry["vacuous"]) for entry in entries)
    assert drawn["truth"] == sum(entry["truth"]["status"] == "ok" for entry in entries) == 12
    assert drawn["null"] == 2
    assert drawn["estimate"] == 4  # the fifth term lies beyond 100 %
    wanted = {EXPECTATION, ESTIMATE, NULL_MARK, "At 95\u202f% confidence", "not applicable", "failed"}
    assert wanted <= {text.get_text() for text in figure.texts}


def test_marks_stand_where_the_numbers_say(examples):
    record = examples.compared_record()
    del record["models"][1]["all_bounds"]
    record["models"][0]["all_bounds"] = [examples.all_bounds()[index] for index in (7, 9)]
    with drawing():
        axes = all_bounds_figure(record, WIDE).axes[0]
    truths = [line.get_xdata()[0] for line in axes.lines if line.get_label() == "truth"]
    assert truths == pytest.approx([0.33, 0.21])
    null = next(container[0] for container in axes.containers if container.get_label() == "null")
    assert null.get_x() + null.get_width() / 2 == pytest.approx(0.12 + 0.19)
    ends = [
        box[0].get_x() + box[0].get_width() for box in axes.containers if box.get_label() == "term:confidence"
    ]
    assert ends == pytest.approx([0.71 - 0.053 + 0.04])  # a term below 0 shortens the bar


def test_without_a_value_nothing_is_drawn(examples):
    assert all_bounds_figure(examples.example_record(1), WIDE) is None
    record = examples.bounds_record()
    record["all_bounds"] = [examples.not_computed("rademacher", "failed", "it overflowed")]
    assert draw_bounds_of_run(record) is None


# The table


def test_the_table_has_a_row_for_each_term_and_a_total(examples, compared, tmp_path):
    paths = {path.stem: path for path in write_tables(compared, tmp_path)}
    table = pd.read_parquet(paths["all_bounds"])
    entries = [entry for model in compared["models"] for entry in model.get("all_bounds", ())]
    missing = 1  # the residual of the second model's estimate
    assert len(table) == sum(1 + len(entry["terms"]) for entry in entries) + missing
    rows = table.set_index(["model", "bound", "term"]).sort_index()
    model = compared["models"][0]
    for entry in model["all_bounds"]:
        total = rows.loc[(model["name"], entry["name"], "total")]
        if entry["status"] != "ok":
            assert total["value"] is pd.NA and total["reason"] == entry["reason"]
            continue
        terms = rows.loc[(model["name"], entry["name"])].drop("total")["value"]
        assert terms.sum() == pytest.approx(total["value"]) and total["value"] == entry["value"]
        assert total["kind"] == entry["kind"] and total["vacuous"] == entry["vacuous"]
        if entry["truth"]["status"] == "ok":
            assert [total["truth_low"], total["truth_high"]] == entry["truth"]["interval"]
            assert total["ratio"] == pytest.approx(total["value"] / total["truth"])
    cmi = rows.loc[(model["name"], "prediction_cmi", "total")]
    assert (cmi["null"], cmi["null_high"], cmi["n_repeats"], cmi["confidence"]) == (0.41, 0.44, 32, pd.NA)
    lost = rows.loc[(compared["models"][1]["name"], "transfer", "residual")]
    assert lost["value"] is pd.NA and lost["reason"] == "not known: no other encoder is at hand"


def test_the_table_of_a_record_without_bounds_has_the_same_columns(examples, compared, tmp_path):
    tables = []
    for name, record in (("with", compared), ("without", examples.example_record(1))):
        paths = {path.stem: path for path in write_tables(record, tmp_path / name)}
        tables.append(pd.read_parquet(paths["all_bounds"]))
    assert len(tables[1]) == 0
    assert tables[0].dtypes.to_dict() == tables[1].dtypes.to_dict()
