"""docs/reproductions.md is what the committed tables say, and they hold what the entries compare."""

import importlib.util
import json
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from carryover.experiments.catalogue import CATALOGUE
from carryover.experiments.inputs import Inputs

ROOT = Path(__file__).resolve().parents[2]
RECORDS = [
    path
    for path in sorted((ROOT / "docs" / "tables").glob("*.json"))
    if "comparisons" in json.loads(path.read_text(encoding="utf-8"))
]


@pytest.fixture(scope="module")
def benchmark(data_root):
    spec = importlib.util.spec_from_file_location("reproductions", ROOT / "benchmarks" / "reproductions.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.DATA.resolve() == data_root.resolve()
    return module


def test_the_page_is_made_from_the_tables(benchmark):
    assert (ROOT / "docs" / "reproductions.md").read_text() == benchmark.page()


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_every_table_has_its_figure_and_some_sentences(benchmark, path):
    figure = ROOT / "docs" / "figures" / f"{path.stem}.png"
    with Image.open(figure) as picture:
        assert min(picture.size) > 300
    record = json.loads(path.read_text())
    assert f"figures/{figure.name}" in benchmark.page()
    assert len(benchmark.SAID[record["name"]].split()) > 20


def test_a_number_from_which_nothing_is_concluded_has_the_reason_beside_it(benchmark):
    ours = {"status": "ok", "value": 0.1, "interval": [0.05, 0.15]}
    one = {"what": "gap", "published": {"source": "source"}, "published_said": "claim", "ours": ours}
    weak = {"verdict": "cannot tell", "sentence": "No conclusion: mae does not beat its own random start."}
    told = {"verdict": "agrees", "sentence": "As claimed."}
    shown = f"0.1 (0.05 to 0.15). {weak['sentence']}"
    assert benchmark._row(one | weak) == f"| gap | claim | {shown} | **cannot tell** | source |"
    assert benchmark._row(one | told) == "| gap | claim | 0.1 (0.05 to 0.15) | **agrees** | source |"


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_the_committed_table_gives_the_committed_verdicts(path, data_root):
    record = json.loads(path.read_text())
    entry = CATALOGUE[record["name"]]
    found = entry.compare(pd.read_csv(path.with_suffix(".csv")))
    assert [(one.what, one.verdict) for one in found] == [
        (one["what"], one["verdict"]) for one in record["comparisons"]
    ]
    n_cells = sum(len(part.cells) for part in entry.sizes[record["size"]].parts(Inputs(data_root)))
    assert record["n_cells"] <= n_cells and record["n_failed"] == 0
