"""docs/reproductions.md is what the committed tables say, and they hold what the entries compare."""

import importlib.util
import json
from pathlib import Path

import pandas as pd
import pytest

from carryover.experiments.catalogue import CATALOGUE
from carryover.experiments.inputs import Inputs

ROOT = Path(__file__).resolve().parents[2]
RECORDS = [
    path
    for path in sorted((ROOT / "docs" / "tables").glob("*.json"))
    if "comparisons" in json.loads(path.read_text(encoding="utf-8"))
]


def test_the_page_is_made_from_the_tables():
    spec = importlib.util.spec_from_file_location("reproductions", ROOT / "benchmarks" / "reproductions.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "reproductions.md").read_text() == module.page()


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
