"""Figures: same record, same bytes; ids unique over a page; names are text; no global state is touched."""

import re
import sys
from xml.etree import ElementTree

import matplotlib
import pytest
from matplotlib.figure import Figure

from carryover.reports.agreement import ranking_agreement
from carryover.reports.canvas import NARROW, WIDE, blank, drawing, shorten, to_svg
from carryover.reports.figure_curves import curves_figure
from carryover.reports.figures import draw_figures
from carryover.reports.legend import legend_places, span


@pytest.fixture(scope="module")
def drawn(examples):
    record = examples.troubled_record()
    record["models"][0]["adaptation"] = examples.adapted_record()["models"][0]["adaptation"]
    record["models"][0]["adaptation"][0]["plans"][1]["plan"] = examples.HOSTILE
    record["models"][1]["all_bounds"] = examples.all_bounds()
    record["all_bounds_of"] = examples.compared_record()["all_bounds_of"]
    return draw_figures(record)


def _svgs(drawn):
    return [svg for picture in drawn.values() for svg in (picture.wide, picture.narrow)]


def test_same_record_gives_the_same_bytes(examples):
    assert draw_figures(examples.example_record(1)) == draw_figures(examples.example_record(1))


def test_ids_are_unique_and_references_resolve(drawn):
    ids, references = [], []
    for svg in _svgs(drawn):
        for element in ElementTree.fromstring(svg).iter():
            ids += [element.attrib["id"]] if "id" in element.attrib else []
            for key, value in element.attrib.items():
                references += [value[1:]] if key == "href" else re.findall(r"url\(#([^)]+)\)", value)
                references += value.split() if key == "aria-labelledby" else []
    assert len(ids) == len(set(ids))
    assert references
    assert set(references) <= set(ids)


def test_names_are_drawn_as_text_not_as_markup_or_mathematics(examples, drawn):
    for svg in _svgs(drawn):
        root = ElementTree.fromstring(svg)
        assert not [element for element in root.iter() if element.tag in ("script", "style", "metadata")]
        assert not re.search(r"https?:", svg)
    for name in ("ranking", "regime", "all_bounds"):
        texts = [element.text for element in ElementTree.fromstring(drawn[name].wide).iter("text")]
        assert examples.HOSTILE in texts
    texts = [element.text for element in ElementTree.fromstring(drawn["ranking"].wide).iter("text")]
    assert any(text.startswith("$\\alpha_{x}$ ") for text in texts)


def test_matplotlib_is_left_as_it_was(examples):
    before = dict(matplotlib.rcParams)
    pyplot_was_there = "matplotlib.pyplot" in sys.modules
    draw_figures(examples.example_record(1))
    assert dict(matplotlib.rcParams) == before
    assert ("matplotlib.pyplot" in sys.modules) == pyplot_was_there


def test_nothing_measured_draws_nothing(examples):
    record = examples.fail_model(examples.example_record(1), 0, "truncated")
    assert set(draw_figures(record).values()) == {None}


def test_regression_has_no_bounds_figure(examples):
    drawn = draw_figures(examples.example_record(2, task="regression"))
    assert drawn["bounds"] is None
    assert drawn["scores"] is not None


def test_the_law_is_drawn_to_twice_the_labels_and_through_its_value_there(examples):
    record = examples.example_record(1)
    curve = record["models"][0]["learning_curve"]
    with drawing():
        axes = curves_figure(record, WIDE).axes[0]
    dashed = max(
        (line for line in axes.lines if len(line.get_xdata()) == 12), key=lambda line: len(line.get_xdata())
    )
    law, last = curve["law"], curve["n"][-1]
    expected = law["asymptote"] - law["amplitude"] * 2 ** -law["exponent"]
    assert dashed.get_xdata()[[0, -1]] == pytest.approx([last, 2 * last])
    assert dashed.get_ydata()[-1] == pytest.approx(expected)


def test_a_curve_without_a_law_is_still_drawn(examples):
    record = examples.example_record(1)
    curve = record["models"][0]["learning_curve"]
    curve["law"] = None
    curve["asymptote"] = curve["gain_from_doubling"] = examples.missing("abstained", "too few points")
    assert draw_figures(record)["curves"] is not None


def test_equal_values_without_intervals_have_an_axis(examples):
    record = examples.example_record(2)
    for model in record["models"]:
        model["scores"]["knn"] = examples.est(0.0)
    assert draw_figures(record)["scores"] is not None
    low, high = span([0.0, 0.0])
    assert low < 0 < high


@pytest.mark.parametrize("width", [40, 90, 300])
def test_shortened_names_keep_both_ends(width):
    name = "google/vit-base-patch16-224-in21k"
    short = shorten(name, width)
    assert short == name or (short[0] == "g" and short[-1] == "k" and "…" in short and len(short) < len(name))


def test_legend_entries_never_share_pixels():
    labels = ["a" * k for k in (3, 12, 30, 5, 18, 2)]
    places = legend_places(labels, NARROW)
    for (left, line), label, (next_left, next_line) in zip(places, labels, places[1:], strict=False):
        assert next_line > line or next_left >= left + 16 + 6 * len(label)


def test_agreement_is_kendalls_tau(examples):
    record = examples.example_record(4)
    for model, value in zip(record["models"], (4.0, 2.0, 3.0, 1.0), strict=True):
        model["scores"]["logme"] = examples.est(value)
    assert ranking_agreement(record, "logme") == pytest.approx(4 / 6)  # 5 pairs agree, 1 does not
    assert ranking_agreement(record, "leep") is None
    assert ranking_agreement(examples.example_record(2), "logme") is None


def test_control_characters_leave_the_svg_well_formed():
    with drawing():
        figure = blank(50, 20)
        assert isinstance(figure, Figure)
        svg = to_svg(figure, "x", title="a\x00<b>", description="c\x1b")
    assert "a\N{REPLACEMENT CHARACTER}&lt;b&gt;" in svg
    ElementTree.fromstring(svg)
