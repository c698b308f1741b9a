"""docs/contrastive_bound.md: no bound is below its truth too often, and the rows are those kept."""

import math
import re
from pathlib import Path

import pandas as pd
import pytest
from scipy.stats import binom

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "contrastive_bound.md").read_text(encoding="utf-8")
KEPT = pd.read_csv(DOCS / "tables" / "contrastive_bound.csv")


def _rows(heading):
    lines = PAGE.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(heading))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip().strip("|").split("|")])
    return rows


BOUNDS = _rows("| encoder | classes | loss | block | tuples |")


def test_no_bound_is_below_the_truth_too_often():
    assert (KEPT["n_draws"] >= 20).all()
    assert (KEPT["violations"] <= binom.ppf(0.999, KEPT["n_draws"], 0.05)).all()
    assert (KEPT["bound"] > KEPT["truth"]).all() and (KEPT["bound"] > KEPT["truth_left_out"]).all()
    for row in BOUNDS:
        below, draws = map(int, row[-1].split(" of "))
        assert below <= binom.ppf(0.999, draws, 0.05)


def test_the_inequality_itself_holds_up_to_the_noise_of_the_draws():
    noise = 4 * KEPT["contrastive_loss_se"] / (1 - 1 / KEPT["classes"])
    assert (KEPT["estimate"] + noise >= KEPT[["truth", "truth_left_out"]].max(axis=1)).all()
    tau = 1 / KEPT["classes"]
    assert ((KEPT["contrastive_loss"] - tau) / (1 - tau) - KEPT["estimate"]).abs().max() < 1e-5
    assert (KEPT["apart"] + KEPT["collision"] - KEPT["estimate"]).abs().max() < 1e-5


def test_blocks_do_not_raise_the_loss_of_the_same_tuples():
    larger = KEPT[KEPT["block"] > 1]
    assert len(larger) and (larger["gain_of_block"] > -3 * larger["gain_of_block_se"]).all()


def test_collisions_cost_no_more_than_their_spread_allows():
    slope = KEPT["loss"].map({"hinge": 1.0, "logistic": 1 / math.log(2)})
    limit = 1 + slope * KEPT["spread"] / math.sqrt(2)
    assert (KEPT["collided_loss"][KEPT["block"] == 1] < limit[KEPT["block"] == 1]).all()


def test_no_image_is_in_two_tuples():
    assert (KEPT["n_tuples"] * (2 * KEPT["block"] + 1) <= 50 * KEPT["classes"]).all()


def test_the_mean_classifier_errs_no_more_than_its_loss():
    assert (1 - KEPT["pairwise_accuracy"] <= KEPT["truth"]).all()


def test_the_rows_on_the_page_are_those_kept():
    assert re.search(r"commit [0-9a-f]{7}, \d{4}-\d\d-\d\d, torch ", PAGE)
    assert len(BOUNDS) == len(KEPT)
    keys = ["encoder", "classes", "loss", "block"]
    kept = KEPT.astype({"classes": str, "block": str}).set_index(keys)
    for row in BOUNDS:
        one = kept.loc[tuple(row[:4])]
        assert int(row[4]) == one["n_tuples"]
        assert float(row[7]) == pytest.approx(one["estimate"], abs=6e-4)
        bound, low, high = map(float, re.match(r"([\d.]+) \[([\d.]+), ([\d.]+)\]", row[8]).groups())
        assert bound == pytest.approx(one["bound"], abs=6e-4) and low <= bound <= high
        assert float(row[9]) == pytest.approx(one["truth"], abs=6e-4)
        assert float(row[10]) == pytest.approx(one["truth_left_out"], abs=6e-4)
