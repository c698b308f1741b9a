"""Claims about scaled residual networks on made-up tables, and their figure."""

import numpy as np
import pandas as pd
import pytest

from carryover.experiments.entries.a26 import resnet_claims as claims
from carryover.reports.figures_a26_resnet import resnet_figure


def made_up(accuracy, *, gain: float = 0.1, seeds: int = 6) -> pd.DataFrame:
    """A table in which every condition has ``accuracy`` of it, and every pretraining gains ``gain``, with
    noise."""
    noise, rows = np.random.default_rng(0), []
    scales = ((1, 1, 1), (1, 1, 8), (1, 0.25, 1), (0.5, 1, 1))
    tasks = [(task, n, 1.0, "pretrained") for task in ("subset", "new") for n in (10, 50)]
    grid = [("before", *scale, *task) for scale in scales for task in tasks]
    grid += [
        ("after", 1, 1, 1, "new", n, x, "pretrained") for n in (10, 400) for x in (1, 0.5, 0.25, 0.125, 2)
    ]
    grid += [("after", 1, 1, 1, "new", n, 1, "random") for n in (10, 400)]
    names = ("arm", "absolute", "relative", "readout", "task", "samples", "rescaling", "start")
    for point in grid:
        for seed in range(seeds):
            row = dict(zip(names, point, strict=True)) | {"seed": seed, "status": "ok", "reason": None}
            row["accuracy"] = accuracy(row) + 0.002 * noise.normal()
            row |= {"probe_random": 0.4, "probe_trained": 0.4 + gain + 0.01 * np.sin(seed)}
            rows.append(row)
    return pd.DataFrame(rows)


def expected(row) -> float:
    """What A26 and LL24 say."""
    if row["arm"] == "after":
        factor = claims.SCRATCH if row["start"] == "random" else row["rescaling"]
        return claims.LL24_ACCURACY[factor][0 if row["samples"] == 10 else 3]
    depends = 0.1 + 0.05 * (row["relative"] < 1) + 0.05 * (row["absolute"] < 1) - 0.05 * (row["readout"] > 1)
    return 0.6 + depends * (row["task"] == "subset")


def verdicts(found) -> dict[str, str]:
    return {one.what: one.verdict for one in found if one.verdict != "not comparable"}


def test_what_is_published_agrees_with_itself_and_its_contrary_differs():
    found = claims.compare_resnet(made_up(expected))
    assert set(verdicts(found).values()) == {"agrees"} and len(verdicts(found)) == 4 + 6
    assert {round(one.ours.confidence, 6) for one in found[:4]} == {1 - 0.05 / 4}
    assert {round(1 - one.ours.confidence, 6) for one in found[4:10]} == {round(0.05 / 6, 6)}
    contrary = claims.compare_resnet(made_up(lambda row: 1.0 - expected(row)))
    assert set(verdicts(contrary).values()) == {"differs"}
    flat = claims.compare_resnet(made_up(lambda row: 0.7))
    assert set(verdicts(flat).values()) == {"cannot tell"}


def test_the_numbers_of_the_source_stand_beside_ours_without_a_verdict():
    found = [one for one in claims.compare_resnet(made_up(expected)) if one.verdict == "not comparable"]
    assert len(found) == 2 * 6
    last = found[-1]
    assert last.what == "after, n = 400: accuracy of random weights, beside n = 1,000"
    assert last.published.value == 0.857 and last.ours.value == pytest.approx(0.857, abs=0.003)
    assert "and n = 400" in last.sentence


def test_the_source_says_what_is_claimed_of_it():
    for better, worse in ((0.25, 1.0), (1.0, 2.0), (1.0, claims.SCRATCH)):
        pairs = zip(claims.LL24_ACCURACY[better], claims.LL24_ACCURACY[worse], strict=True)
        assert all(ours > theirs for ours, theirs in pairs)
    found = {one.what: one.published.claim for one in claims.compare_resnet(made_up(expected))}
    said = found[
        "after, n = 400: accuracy of pretrained weights times 0.25 less that of pretrained weights times 1"
    ]
    assert said == "0.859 against 0.839 at n = 200; 0.916 against 0.897 at n = 1,000"


def test_nothing_is_concluded_from_an_encoder_that_does_not_beat_its_random_start():
    found = claims.compare_resnet(made_up(expected, gain=0.0))
    assert set(verdicts(found).values()) == {"cannot tell"}
    assert found[0].sentence.startswith(
        "No conclusion: the pretrained encoder of c = 1, kappa = 0.25 does not beat its own random start ("
    )


def test_a_failed_cell_leaves_its_claims_without_a_verdict():
    whole = made_up(expected)
    broken = (whole["relative"] == 0.25) & (whole["seed"] == 2)
    row = {
        "arm": "before",
        "absolute": 1.0,
        "relative": 0.25,
        "seed": 2,
        "status": "failed",
        "reason": "diverged",
    }
    found = verdicts(
        claims.compare_resnet(pd.concat([whole[~broken], pd.DataFrame([row])], ignore_index=True))
    )
    told = {what: verdict for what, verdict in found.items() if "kappa" in what}
    assert set(told.values()) == {"cannot tell"}
    assert {verdict for what, verdict in found.items() if what not in told} == {"agrees"}


def test_the_figure_has_a_line_for_each_setting_and_those_of_the_source():
    figure = resnet_figure(made_up(expected))
    before, new, after = figure.axes
    assert [len(axes.containers) for axes in (before, new, after)] == [4, 4, 6]
    dotted = [line for line in after.lines if line.get_linestyle() == ":"]
    assert sorted(line.get_ydata()[0] for line in dotted) == sorted(
        v[0] for v in claims.LL24_ACCURACY.values()
    )
    for line in dotted:  # the colour of ours that has the same value at n = 10
        twin = min(after.containers, key=lambda own: abs(own[0].get_ydata()[0] - line.get_ydata()[0]))
        assert twin[0].get_color() == line.get_color()
