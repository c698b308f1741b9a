"""a26_modular: its arithmetic by brute force, its network by loops, its claims on tables made up for them."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch

from carryover._core.errors import InputError
from carryover.experiments.entries.a26 import modular as entry
from carryover.experiments.entries.a26.modular_cells import (
    CellData,
    FineTuning,
    fine_tuned,
    initial_network,
    run_modular,
)
from carryover.experiments.entries.a26.modular_claims import Condition, claims_of, compare_modular, contrast
from carryover.experiments.entries.a26.modular_protocol import (
    NEW,
    RANDOM,
    REUSE,
    STARTS,
    TASKS,
    TRAINED,
    ModularCell,
    all_pairs,
    results,
    task_labels,
)
from carryover.experiments.inputs import Inputs
from carryover.reports.catalogue_figures import FIGURES

TINY = ModularCell(
    modulus=5, width=8, heads=2, samples=(4, 8), steps=3, batch_size=8, finetuning_steps=20, seed=3
)


def data_of(cell):
    pairs = all_pairs(cell)
    return CellData(*(torch.from_numpy(part) for part in (pairs.numbers, pairs.seen, pairs.held_out)))


def test_operations_are_those_of_python():
    numbers = all_pairs(ModularCell(modulus=7, samples=(5,))).numbers
    for (a, b), *found in zip(
        numbers.tolist(),
        *(results(name, numbers, 7) for name in ("sum", "difference", "squares")),
        strict=True,
    ):
        assert [int(one) for one in found] == [(a + b) % 7, (a - b) % 7, (a**2 + b**2) % 7]


def test_each_pair_is_either_seen_or_held_out_and_scales_change_neither():
    pairs = all_pairs(TINY)
    assert sorted(map(tuple, pairs.numbers.tolist())) == list(product(range(5), repeat=2))
    assert sorted([*pairs.seen, *pairs.held_out]) == list(range(25)) and len(pairs.seen) == 20
    other = all_pairs(replace(TINY, scale=4.0, early_scale=0.5))
    assert np.array_equal(pairs.seen, other.seen)
    assert not np.array_equal(pairs.seen, all_pairs(replace(TINY, seed=4)).seen)


@pytest.mark.parametrize("task", TASKS)
def test_a_task_renames_the_results_of_its_operation(task):
    numbers = all_pairs(TINY).numbers
    plain, renamed = results(TASKS[task], numbers, 5), task_labels(TINY, task, numbers)
    assert len(set(zip(plain.tolist(), renamed.tolist(), strict=True))) == len(set(plain.tolist()))
    assert len(set(renamed.tolist())) == len(set(plain.tolist()))
    others = [task_labels(replace(TINY, seed=seed), task, numbers).tolist() for seed in range(5)]
    assert len(set(map(tuple, others))) > 1


def test_the_encoder_is_attention_from_the_last_token_and_a_relu_layer():
    """Against loops over heads and tokens."""
    encoder = initial_network(TINY).encoder
    w = {name: weight.detach().double().numpy() for name, weight in encoder.named_parameters()}
    for a, b in ((0, 3), (4, 1)):
        states = [w["tokens.weight"][t] + w["places.weight"][i] for i, t in enumerate((a, b, 5))]
        attended = np.zeros(8)
        for head in range(2):
            own = slice(4 * head, 4 * head + 4)
            query = (w["query.weight"] @ states[2])[own]
            scores = np.array([query @ (w["key.weight"] @ one)[own] for one in states]) / 2.0
            shares = np.exp(scores) / np.exp(scores).sum()
            attended[own] = sum(s * (w["value.weight"] @ x)[own] for s, x in zip(shares, states, strict=True))
        last = states[2] + w["mixed.weight"] @ attended
        hidden = np.maximum(w["up.weight"] @ last + w["up.bias"], 0.0)
        expected = last + w["down.weight"] @ hidden
        found = encoder(torch.tensor([[a, b]]))[0].detach().numpy()
        assert found == pytest.approx(expected, abs=1e-6)


def test_scales_multiply_one_draw():
    plain = initial_network(replace(TINY, start_scale=1.0)).state_dict()
    scaled = initial_network(replace(TINY, start_scale=0.5, scale=4.0, early_scale=0.25)).state_dict()
    for name, weight in plain.items():
        factor = 0.5 if name.startswith(("encoder.tokens", "encoder.places")) else 2.0
        assert torch.allclose(scaled[name], factor * weight, atol=0.0)


@pytest.mark.slow
def test_a_row_is_the_seeds_and_holds_every_fine_tuning():
    cell = replace(TINY, readouts=(0.2, 5.0), samples=(8,), finetuning_steps=2)
    row = run_modular(cell)
    again = run_modular(replace(cell, readouts=(5.0,)))
    tuned = {key.rpartition("/")[0] for key in row if "/" in key}
    assert tuned == {
        f"{task}/8/{readout}/{start}" for task, readout, start in product(TASKS, ("0.2", "5"), STARTS)
    }
    assert {key: row[key] for key in again} == again
    assert row["cancelled_layers"] == 0
    shares = [value * 5 for key, value in row.items() if key.endswith("/accuracy")]  # of five pairs held out
    assert shares == pytest.approx(np.round(shares)) and all(0 <= share <= 5 for share in shares)
    mean = (row["held_out_sum"] + row["held_out_difference"]) / 2.0
    assert row["held_out_accuracy"] == pytest.approx(mean)


def test_fine_tuning_ends_once_samples_are_fitted_and_leaves_its_start_alone():
    cell = replace(TINY, width=32, finetuning_steps=400, finetuning_learning_rate=1e-2)
    encoder = initial_network(cell).encoder
    before = {name: weight.clone() for name, weight in encoder.state_dict().items()}
    found = fine_tuned(encoder, data_of(cell), FineTuning(cell, NEW, 8, 1.0))
    assert found["fitted"] == 1.0 and found["steps"] < 400 and found["steps"] % 20 == 0
    assert all(torch.equal(weight, before[name]) for name, weight in encoder.state_dict().items())
    assert found["similarity"] < 0.999


def test_the_function_starts_at_zero_whatever_the_readout():
    """Without a step that moves anything all logits are 0, so that the first class is what is said."""
    cell = replace(TINY, finetuning_steps=1, finetuning_learning_rate=1e-30)
    data = data_of(cell)
    labels = task_labels(cell, REUSE, data.numbers.numpy())
    found = fine_tuned(initial_network(cell).encoder, data, FineTuning(cell, REUSE, 8, 5.0))
    assert found["accuracy"] == (labels[data.held_out] == 0).mean()
    assert found["fitted"] == (labels[data.seen[:8]] == 0).mean()


def test_a_fine_tuning_that_diverges_says_so():
    cell = replace(TINY, finetuning_learning_rate=1e30)
    found = fine_tuned(initial_network(cell).encoder, data_of(cell), FineTuning(cell, REUSE, 8, 1.0))
    assert found["status"] == "failed" and "training stopped" in found["reason"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"modulus": 2}, "modulus must be >= 3, got 2"),
        ({"held_out_fraction": 1.0}, r"held_out_fraction must lie in \(0, 1\), got 1"),
        ({"heads": 3}, "width must be a multiple of heads, 3, got 8"),
        ({"samples": (4, 21)}, r"samples must lie in \[1, 20\], the pairs of pretraining, got \(4, 21\)"),
        ({"samples": ()}, r"samples must lie in \[1, 20\], the pairs of pretraining, got \(\)"),
    ],
)
def test_misuse_is_named(change, said):
    with pytest.raises(InputError, match=said):
        replace(TINY, **change)


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
