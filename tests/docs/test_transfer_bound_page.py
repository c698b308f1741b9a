"""docs/transfer_bound.md: the constants in its tables are those of the code, and the tests it names exist."""

import math
import re
from pathlib import Path

import numpy as np
import pytest

from carryover.measures.score_errors import logit_score_error, probability_score_error, spectral_score_error
from carryover.measures.transfer_pairs import HardMargin, Lipschitz, LowNoise, Squared, transfer_pair
from carryover.measures.transferability import ScoreError, squared_score_error

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "transfer_bound.md").read_text(encoding="utf-8")


def _rows(heading):
    """The cells of the table whose first column has this heading."""
    lines = PAGE.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_the_table_of_pairs():
    unit = ScoreError(1.0, "any", ())
    losses = (Squared(0.5), Lipschitz(1.0), HardMargin(0.5), LowNoise(), LowNoise(1.0, 1.0))
    rows = _rows("downstream loss")
    assert len(rows) == len(losses)
    for row, loss in zip(rows, losses, strict=True):
        pair = transfer_pair(unit, loss)
        assert float(row[-1].split(" (")[0]) == pytest.approx(pair.constant, abs=1e-6)
        written = {"1": 1.0, "1/2": 0.5, "(1+a)/(2+a)": 2 / 3}[row[2]]
        assert pair.exponent == pytest.approx(written)


def test_the_table_of_kappa():
    kappas = [row[-1] for row in _rows("pretraining loss")]
    one, limit = np.eye(1), 1.5
    assert kappas[0].startswith("R_u^2 / a")
    assert squared_score_error(one, one, weight=0.25).factor == pytest.approx(4.0)
    assert kappas[1].startswith("(max u - min u)^2 / 2")
    assert probability_score_error(np.array([[0.0, 3.0]])).factor == pytest.approx(4.5)
    assert kappas[2] == "2 (2 + 2 cosh S) R_u^2"
    found = logit_score_error(one, one, logit_limit=limit).factor
    assert found == pytest.approx(2 * (2 + 2 * math.cosh(limit)))
    assert kappas[3] == "2 (1 + (c-1) e^(2S)) R_u^2"
    centred = np.eye(3) - 1 / 3
    found = logit_score_error(centred[:1], np.eye(3), logit_limit=limit)
    assert found.factor == pytest.approx(2 * (1 + 2 * math.exp(2 * limit)) * 2 / 3)
    assert kappas[4] == "E s*^2 / (lambda_k^2 - lambda_(k+1)^2)"
    found = spectral_score_error(np.array([1.0, 0.5]), width=1, score_size=2.0)
    assert found.factor == pytest.approx(4 / 0.75)


def test_the_tests_that_are_named_exist():
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", PAGE))
    assert len(named) >= 3
    assert all((ROOT / path).is_file() for path in named)
