"""docs/bounds_validation.md: no bound in its tables fails more often than is permitted, and none is missing."""

import re
from pathlib import Path

import pytest
from finite_laws import permitted

PAGE = (Path(__file__).parents[2] / "docs" / "bounds_validation.md").read_text(encoding="utf-8")
AT_A_LEVEL = {
    "hold-out", "Rademacher", "PAC-Bayes", "disagreement certificate", "compression", "contrastive", "transfer",
    "spectral",
}  # fmt: skip
IN_EXPECTATION = {"loss-difference CMI", "f-CMI", "Xu-Raginsky"}


def _rows(last_but_one):
    """Rows, by heading, of the table of bounds whose last column but one is this."""
    lines = PAGE.splitlines()
    start = next(
        at
        for at, line in enumerate(lines)
        if line.startswith("| bound |") and f"| {last_but_one} | seconds |" in line
    )
    heads, *rest = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines[start:])
    rows = []
    for cells in rest[1:]:
        if len(cells) != len(heads):
            break
        rows.append(dict(zip(heads, cells, strict=True)))
    return rows


def test_no_bound_fails_more_often_than_permitted():
    rows = _rows("median bound / truth")
    assert {row["bound"].split(",")[0] for row in rows} == AT_A_LEVEL
    for row in rows:
        draws = int(row["draws"].replace(",", ""))
        assert draws >= 1000 and int(row["permitted"]) == permitted(draws)
        assert int(row["violations"]) <= int(row["permitted"]), row
        assert float(row["median bound / truth"]) >= 1


def test_pac_bayes_has_every_prior_and_inequality():
    names = {row["bound"] for row in _rows("median bound / truth")}
    for prior in ("zero", "split", "given"):
        assert {f"PAC-Bayes, {prior} reference, {one}" for one in ("KlInverse", "Catoni")} <= names
    assert {"PAC-Bayes, data-free", "disagreement certificate, Gibbs to head"} <= names


def test_no_bound_in_expectation_is_below_the_truth():
    rows = _rows("bound - truth")
    assert {row["bound"].split(",")[0] for row in rows} == IN_EXPECTATION
    assert len([row for row in rows if row["bound"].startswith("Xu-Raginsky")]) == 2
    for row in rows:
        excess, error = map(float, re.fullmatch(r"([+-][\d.]+) \+- ([\d.]+)", row["bound - truth"]).groups())
        assert int(row["draws"].replace(",", "")) >= 1000 and excess > -3.1 * error, row
        assert excess == pytest.approx(float(row["mean bound"]) - float(row["mean truth"]), abs=2e-4)


def test_it_says_what_it_was_made_with():
    assert re.search(r"Measured at commit [0-9a-f]{7,}, \d{4}-\d\d-\d\d, Python .*NumPy .*SciPy", PAGE)
