"""docs/transfer_in_practice.md: its tables are sane, and agree with the runs' numbers kept beside it."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "transfer_in_practice.md").read_text(encoding="utf-8")
RUNS = pd.read_csv(DOCS / "tables" / "transfer_in_practice.csv")
SPAN = re.compile(r"^([+-]?[\d.e+-]+) \[([+-]?[\d.e+-]+), ([+-]?[\d.e+-]+)\]$")
OBJECTIVES = ("mae", "denoising", "context_encoder", "simclr", "spectral")


def _table(heading):
    """Header and rows of the table whose first column has this heading and whose second begins as given."""
    lines = PAGE.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(heading))
    cells = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        cells.append([cell.strip() for cell in line.strip().strip("|").split("|")])
    return cells[0], cells[2:]


def _spearman(part, column, sign):
    return spearmanr(sign * part[column], part["error_few"]).statistic


def test_the_number_of_runs_is_that_of_the_table_kept():
    stated = int(re.search(r"(\d+) runs\b", PAGE).group(1))
    assert stated == len(RUNS) == RUNS["run"].nunique()
    assert re.search(r"commit [0-9a-f]{7}, \d{4}-\d\d-\d\d, torch ", PAGE)
    _, rows = _table("| objective | runs | pretraining excess")
    assert {row[0]: int(row[1]) for row in rows} == RUNS.groupby("objective").size().to_dict()


def test_what_was_kept_is_possible():
    assert set(RUNS["objective"]) == set(OBJECTIVES)
    assert RUNS.groupby("objective")["is_best"].sum().eq(1).all()
    assert (RUNS["excess"] >= 0).all() and (RUNS["excess"][RUNS["is_best"]] == 0).all()
    assert RUNS[["error_few", "soft_few", "error_many", "soft_many"]].to_numpy().max() <= 1
    assert (RUNS["error_few"] <= 2 * RUNS["soft_few"]).all()  # a wrong prediction has p_y <= 1/2
    assert RUNS["term_confidence"].nunique() == 1
    assert RUNS.groupby("objective")["term_residual"].nunique().eq(1).all()
    rest = RUNS[["term_rademacher", "term_confidence", "term_total_variation", "term_residual"]].sum(axis=1)
    assert np.allclose(rest, RUNS["term_sum_without_transferability"], rtol=1e-4)
    known = RUNS["term_sum"].notna()
    assert np.allclose((rest + RUNS["term_transferability"])[known], RUNS["term_sum"][known], rtol=1e-4)


def test_correlations_lie_in_their_intervals():
    header, rows = _table("| predictor |")
    counts = [int(re.search(r"(\d+) runs", cell).group(1)) for cell in header[1:]]
    plain, equal = RUNS["regularizer"] == "none", RUNS["steps"] == 140
    assert counts == [len(RUNS), len(RUNS), plain.sum(), equal.sum()]
    assert len(rows) >= 12
    for row in rows:
        for cell in row[1:]:
            if cell != "-":
                value, low, high = map(float, SPAN.match(cell).groups())
                assert -1 <= low <= value <= high <= 1
    assert {row[0]: row[1:] for row in rows}["confidence"] == ["-"] * 4  # a constant predicts nothing


@pytest.mark.parametrize(
    ("words", "column", "sign"),
    [("`ridge_loo`", "ridge_loo", -1), ("complexity, own norm", "term_rademacher", 1)],
)
def test_correlations_over_all_runs_again(words, column, sign):
    stated = next(row[1] for row in _table("| predictor |")[1] if row[0] == words)
    assert float(SPAN.match(stated).group(1)) == pytest.approx(_spearman(RUNS, column, sign), abs=0.006)


def test_a_correlation_within_objectives_again():
    stated = next(row[2] for row in _table("| predictor |")[1] if row[0] == "pretraining excess E_U")
    within = [_spearman(part, "excess", 1) for _, part in RUNS.groupby("objective")]
    assert float(SPAN.match(stated).group(1)) == pytest.approx(np.mean(within), abs=0.006)


def test_regularisers_against_none_again():
    header, rows = _table("| objective | without, %")
    equal = RUNS[RUNS["steps"] == 140].set_index("run")
    *rows, mean = rows
    assert len(rows) == len(OBJECTIVES)
    for at in range(2, len(header) - 1):
        gaps = [float(SPAN.match(row[at]).group(1)) for row in rows]
        assert float(SPAN.match(mean[at]).group(1)) == pytest.approx(np.mean(gaps), abs=0.11)
    for row in rows:
        without = equal.loc[f"{row[0]}-140-none-0", "error_few"]
        assert float(row[1]) == pytest.approx(100 * without, abs=0.06)
        for name, cell in zip(header, row, strict=True):
            found = SPAN.match(cell)
            if found is None or " " not in name:
                continue
            value, low, high = map(float, found.groups())
            kind, strength = name.split()
            with_it = equal.loc[f"{row[0]}-140-{kind}-{strength}", "error_few"]
            assert value == pytest.approx(100 * (with_it - without), abs=0.06)
            assert low < value < high and high - low < 5


def test_every_abstention_has_its_reason():
    header, rows = _table("| objective | runs | downstream risk")
    asked, why = header.index("beta (+-0.1 asked)"), header.index("why it abstains")
    assert len(rows) == 4 * len(OBJECTIVES)
    assert all(bool(row[why]) == (row[asked] == "abstained") for row in rows)
