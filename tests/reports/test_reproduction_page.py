"""The page of a reproduction: everything compared, with verdicts, offline, and the files beside it."""

import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pandas as pd
import pytest

from carryover._core.results import Estimate
from carryover.experiments.catalogue import CATALOGUE
from carryover.experiments.comparisons import Published, compare_order, compare_value
from carryover.experiments.reproduction import Reproduction, reproduce
from carryover.reports.catalogue_figures import CAPTIONS, FIGURES
from carryover.reports.reproduction_page import (
    REPRODUCTION_FILES,
    counted,
    render_reproduction,
    reproduction_record,
    write_reproduction,
)

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> Reproduction:
    return reproduce(CATALOGUE["a26_figure2"], "smoke", tmp_path_factory.mktemp("out") / "run")


@pytest.fixture
def judged(found) -> Reproduction:
    published, narrow = Published(HOSTILE, 0.5, uncertainty=0.005), Estimate(0.4, interval=(0.35, 0.45))
    comparisons = (
        compare_value("one", published, narrow, matters=0.01),
        compare_value("two", published, narrow, matters=0.01, unlike=f"n is 10 {HOSTILE}"),
        compare_order("three", Published("s", claim="above 0"), Estimate.missing("failed", "it diverged")),
        compare_order("four", Published("s", claim="above 0"), narrow),
    )
    return replace(found, comparisons=comparisons)


def test_every_entry_has_a_figure_and_a_caption():
    assert set(FIGURES) == set(CAPTIONS) == set(CATALOGUE)


def test_the_page_says_each_verdict_and_asks_for_nothing(judged):
    page = render_reproduction(judged, reproduction_record(judged), "<svg></svg>")
    for verdict in ("agrees", "differs", "not_comparable", "cannot_tell"):
        assert f'<span class="badge {verdict}">{verdict.replace("_", " ")}</span>' in page
    assert "ours is 0.1 lower (-0.155 to -0.045)" in page and "it diverged" in page and "0.50 ± 0.005" in page
    assert "4 comparisons: 1 agrees, 1 differs, 1 not comparable, 1 cannot tell." in page
    assert "<script" not in page and page.count("alert(1)") >= 2
    assert "default-src 'none'" in page
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!data:|#)""", page)


def test_the_files_hold_the_same_numbers_and_replace_earlier_ones(judged, tmp_path):
    for name in REPRODUCTION_FILES:
        (tmp_path / name).write_text("old")
    page = write_reproduction(judged, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(REPRODUCTION_FILES)
    assert "not comparable" in page.read_text()
    as_text, binary = pd.read_csv(tmp_path / "table.csv"), pd.read_parquet(tmp_path / "table.parquet")
    empty = [name for name in binary if binary[name].isna().all()]
    pd.testing.assert_frame_equal(as_text.drop(columns=empty), binary.drop(columns=empty), check_dtype=False)
    record = json.loads((tmp_path / "comparisons.json").read_text())
    assert record["verdicts"] == {"agrees": 1, "differs": 1, "not comparable": 1, "cannot tell": 1}
    assert record["environment"]["threads"] == "1" and "numpy" in record["environment"]
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert ElementTree.parse(tmp_path / "figure.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_counts_leave_out_what_is_0(found):
    assert (
        counted(found.comparisons)
        == f"{len(found.comparisons)} comparisons: {len(found.comparisons)} agrees."
    )
