"""ranking_small_n: its table, comparisons and figure on rows made up for them."""

import numpy as np
import pandas as pd
import pytest

from carryover.experiments.entries.ranking.claims import AT, TAUS, compare_ranking
from carryover.experiments.entries.ranking.small_n import RANKING_SMALL_N
from carryover.experiments.entries.ranking.specs import (
    EVERY,
    START,
    candidate_key,
    score_key,
)
from carryover.reports.figures_ranking import ranking_figure


def row_of(
    target: str, accuracies: dict[str, float], taus: dict[str, float], regrets: dict[str, float]
) -> dict:
    row = {"target": target, "data": "made up", "hub_seed": 0, "status": "ok", "reason": None}
    row |= {candidate_key(name, "accuracy"): value for name, value in accuracies.items()}
    for score, tau in taus.items():
        row |= {
            score_key(EVERY, score, AT, "tau"): tau,
            score_key(EVERY, score, AT, "regret"): regrets.get(score, 0.0),
        }
    return row


def made_up(noise: float = 0.0, without: tuple[str, ...] = (), gain: float = 0.2) -> pd.DataFrame:
    """Ten targets whose taus are the published ones, apart from noise."""
    generator = np.random.default_rng(2)
    names = {**TAUS, "tllib.logme": 0.1, "transformer_ranker.logme": 0.1, "chance": 0.0}
    rows = []
    for place in range(10):
        taus = {name: tau + noise * generator.normal() for name, tau in names.items() if name not in without}
        regrets = {"ridge_loo": 0.01, "thuml.logme": 0.1 + 0.001 * place, "chance": 0.2 + 0.001 * place}
        moved = gain + 0.01 * generator.normal()
        rows.append(row_of(f"target {place}", {"e": 0.5 + moved, "e" + START: 0.5}, taus, regrets))
    return RANKING_SMALL_N.table(rows)


def verdicts(table: pd.DataFrame) -> dict[str, str]:
    return {one.what: one.verdict for one in compare_ranking(table)}


def test_the_published_taus_agree_in_order_and_are_not_compared_as_numbers():
    found = verdicts(made_up(noise=1e-3))
    values = [
        verdict for what, verdict in found.items() if "mean over targets" in what and "control" not in what
    ]
    orders = [verdict for what, verdict in found.items() if " less " in what]
    assert values == ["not comparable"] * len(TAUS) and set(orders) == {"agrees"}
    assert len(orders) == 8 + 2 + 1 and len(found) == len(values) + len(orders)


def test_the_order_differs_where_it_is_the_other_way_round_and_cannot_be_told_in_noise():
    table = made_up(noise=1e-3)
    first, second = table["name"] == "logme", table["name"] == "thuml.logme"
    values = table.loc[first, "tau"].to_numpy()
    table.loc[first, "tau"], table.loc[second, "tau"] = table.loc[second, "tau"].to_numpy(), values
    what = "100 labels: Kendall's tau of exact evidence less that of LogME as released (thuml/LogME)"
    assert verdicts(table)[what] == "differs"
    assert verdicts(made_up(noise=3.0))[what] == "cannot tell"


def test_a_rival_that_is_not_installed_gives_no_verdict_and_says_why():
    found = compare_ranking(made_up(noise=1e-3, without=("thuml.logme",)))
    about = [one for one in found if "thuml/LogME" in one.what]
    assert len(about) == 4 and {one.verdict for one in about} == {"cannot tell"}
    assert all(
        "thuml is not installed in a folder that CARRYOVER_RIVALS names" in one.sentence for one in about
    )
    assert any(one.verdict == "agrees" for one in found)


def test_a_target_that_failed_gives_no_verdict():
    table = made_up(noise=1e-3)
    broken = {"target": "lost", "data": "made up", "hub_seed": 0, "status": "failed", "reason": "no disk"}
    whole = pd.concat([table, RANKING_SMALL_N.table([broken])], ignore_index=True)
    assert set(verdicts(whole).values()) == {"cannot tell"}
    assert whole["reason"].iloc[-1] == "no disk"


def test_an_encoder_that_pretraining_does_not_help_is_said_to_be_one():
    what = "control, e: accuracy with all labels, pretrained less before training, mean over targets"
    assert verdicts(made_up(gain=0.0))[what] == "cannot tell"
    assert verdicts(made_up(gain=-0.1))[what] == "differs"
    assert verdicts(made_up(gain=0.1))[what] == "agrees"


def test_a_rival_that_gave_no_answer_has_rows_that_say_so():
    row = row_of("t", {}, {"logme": 0.5}, {}) | {
        "rival/thuml": "abc",
        "rival/thuml/reason": "thuml ended with 1: x",
    }
    table = RANKING_SMALL_N.table([row])
    found = table[table["name"] == "thuml.logme"]
    assert found[["status", "reason"]].to_numpy().tolist() == [["failed", "thuml ended with 1: x"]]
    assert table.loc[table["name"] == "logme", "status"].tolist() == ["ok"]


def test_the_table_says_which_release_answered():
    row = row_of("t", {}, {"logme": 0.5, "thuml.logme": 0.1}, {}) | {
        "rival/thuml": "abc",
        "rival/thuml/reason": None,
    }
    table = RANKING_SMALL_N.table([row]).set_index("name")
    assert table.loc["thuml.logme", "release"] == "abc" and pd.isna(table.loc["logme", "release"])
    assert (table["status"] == "ok").all()


def test_the_figure_has_a_line_for_each_score_and_bars_where_there_are_several_targets():
    table = made_up(noise=1e-3, without=("tllib.transrate",))
    figure = ranking_figure(table)
    tau, regret = figure.axes
    labels = [line.get_label() for line in tau.get_lines()]
    assert "exact evidence" in labels and "TransRate as released (TLlib)" not in labels
    drawn = dict(zip(labels, tau.get_lines(), strict=True))["exact evidence"]
    assert drawn.get_ydata() == pytest.approx(table.loc[table["name"] == "logme", "tau"].mean())
    assert len(tau.containers) == len(regret.containers) == 3
    assert not ranking_figure(table[table["target"] == "target 0"]).axes[0].containers
