"""a26_modular: its claims, its table and its figure on rows made up for them."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest

from carryover.experiments.entries.a26 import modular as entry
from carryover.experiments.entries.a26.modular_claims import Condition, claims_of, compare_modular, contrast
from carryover.experiments.entries.a26.modular_protocol import (
    NEW,
    RANDOM,
    REUSE,
    STARTS,
    TASKS,
    TRAINED,
)
from carryover.experiments.inputs import Inputs
from carryover.reports.catalogue_figures import FIGURES


def rows_of(measure, *, seeds=3):
    """Rows of cells as the small size plans them; ``measure``: settings to accuracy; noise of .001 for each run."""
    (part,) = entry._parts(range(seeds), {}, Inputs())
    noise = np.random.default_rng(0)
    rows = []
    for cell in part.cells:
        row = {**cell.parameters, "status": "ok", "reason": None}
        row |= {key: 0.5 for key in entry._MEASURED_ONCE}
        for task in TASKS:
            row |= {
                f"{task}_probe_{RANDOM}": 0.1,
                f"{task}_probe_{TRAINED}": 0.3 + 0.001 * noise.normal(),
            }
        for task, n, readout, start in product(TASKS, (96, 192), cell.spec.readouts, STARTS):
            of = {"task": task, "start": start, "readout": readout, **cell.parameters}
            values = {
                "accuracy": measure(**of) + 0.001 * noise.normal(), "similarity": 0.5 + 0.001 * noise.normal(),
                "fitted": 1.0, "steps": 20, "status": "ok", "reason": None,
            }  # fmt: skip
            row |= {f"{task}/{n}/{readout:g}/{start}/{what}": value for what, value in values.items()}
        rows.append(row)
    return rows


def as_published(*, task, start, readout, scale, early_scale, seed):
    """Dependent at small scales: a lead on the reused task that falls with kappa, c and gamma, a loss on the new."""
    if start == RANDOM:
        return 0.3
    lead = 0.4 / scale / np.sqrt(readout / 0.2)
    return 0.3 + lead - 0.05 * early_scale if task == REUSE else 0.3 - 0.4 * lead


def verdicts(rows):
    return [one.verdict for one in compare_modular(entry._table(rows))]


def test_claims_agree_where_they_hold_and_differ_where_the_opposite_does():
    def opposite(**of):
        return 0.6 - as_published(**of)

    flat = "cannot tell"  # of the similarity, which is noise in both tables
    agree, differ = (
        [one, one, one, one, one, flat, one, one, flat, one, one] for one in ("agrees", "differs")
    )
    assert verdicts(rows_of(as_published)) == agree
    assert verdicts(rows_of(opposite)) == differ


def test_similar_features_at_large_scales_are_lazier():
    rows = rows_of(as_published)
    for row in rows:
        for key in [key for key in row if key.endswith("/similarity")]:
            row[key] += 0.2 * (row["scale"] == 4.0) - 0.2 * ("/5/" in key)
    found = verdicts(rows)
    assert found[5] == "agrees" and found[8] == "differs"


def test_nothing_is_concluded_from_an_encoder_that_does_not_beat_its_random_start():
    rows = rows_of(as_published)
    for row in rows:
        if row["early_scale"] == 0.25:
            row["reuse_probe_pretrained"] = row["reuse_probe_random"]
    found = compare_modular(entry._table(rows))
    assert [one.verdict for one in found[:4]] == [*["cannot tell"] * 3, "agrees"]
    said = "No conclusion: at c = 1, kappa = 0.25 the pretrained encoder does not beat its own random start ("
    assert found[0].sentence.startswith(said)


def test_samples_that_were_not_fitted_and_runs_that_failed_give_no_verdict():
    rows = rows_of(as_published)
    rows[0]["reuse/96/0.2/random/fitted"] = 0.89
    lost = next(at for at, row in enumerate(rows) if row["scale"] == 4.0)
    labels = {key: rows[lost][key] for key in ("seed", "scale", "early_scale")}
    rows[lost] = {**labels, "status": "failed", "reason": "it broke"}
    table = entry._table(rows)
    assert table["reason"].dropna().tolist() == ["it broke"]
    found = compare_modular(table)
    said = (
        "No conclusion: at c = 1, kappa = 1, gamma = 0.2 a fine-tuning on the reuse task from random weights has "
        "89% of its samples right, below 90%."
    )
    assert [found[at].sentence for at in (3, 9)] == [said] * 2
    assert [found[at].sentence for at in (4, 5)] == ["Ours has no value: a run failed."] * 2
    assert found[0].verdict == "agrees"


def test_a_contrast_is_the_weighted_sum_of_means_over_samples():
    table = entry._table(rows_of(as_published))
    condition = Condition(1.0, 1.0, 0.2)
    terms = ((1.0, condition), (-1.0, replace(condition, task=NEW, start=RANDOM)))
    by_hand = []
    for seed in range(3):
        own = table[
            (table["seed"] == seed)
            & (table["scale"] == 1)
            & (table["early_scale"] == 1)
            & (table["readout"] == 0.2)
        ]
        gains = {
            key: [row["accuracy"] for _, row in group.iterrows()]
            for key, group in own.groupby(["task", "start"])
        }
        by_hand.append(np.mean(gains[REUSE, TRAINED]) - np.mean(gains[NEW, RANDOM]))
    found = contrast(table, terms)
    assert found.value == pytest.approx(np.mean(by_hand), rel=1e-12)
    assert found.std_error == pytest.approx(np.std(by_hand, ddof=1) / np.sqrt(3), rel=1e-9)


def test_the_figure_has_a_panel_for_each_scale_and_task_with_the_means():
    table = entry._table(rows_of(as_published))
    figure = FIGURES["a26_modular"](table)
    assert len(figure.axes) == 6 and all(axes.get_ylim() == (0.0, 1.02) for axes in figure.axes)
    line = figure.axes[2].containers[0].lines[0]  # reused, gamma, the fewest samples, pretrained
    own = table[
        (table["task"] == REUSE) & (table["start"] == TRAINED) & (table["samples"] == 96)
        & (table["scale"] == 1.0) & (table["early_scale"] == 1.0)
    ]  # fmt: skip
    means = own.groupby("readout")["accuracy"].mean()
    assert line.get_xdata() == pytest.approx([0.2, 1.0, 5.0]) and line.get_ydata() == pytest.approx(
        means.tolist()
    )


def test_the_table_survives_being_written(tmp_path):
    """Committed tables are read back as CSV: claims and contrasts stay."""
    table = entry._table(rows_of(as_published))
    table.to_csv(tmp_path / "table.csv", index=False)
    read = pd.read_csv(tmp_path / "table.csv")
    claims = claims_of(table)
    assert claims_of(read) == claims
    assert contrast(read, claims[2].terms) == contrast(table, claims[2].terms)
