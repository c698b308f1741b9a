"""a26_modular: its arithmetic by brute force, and its network by loops."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from carryover._core.errors import InputError
from carryover.experiments.entries.a26.modular_cells import (
    CellData,
    FineTuning,
    fine_tuned,
    initial_network,
    run_modular,
)
from carryover.experiments.entries.a26.modular_protocol import (
    NEW,
    REUSE,
    STARTS,
    TASKS,
    ModularCell,
    all_pairs,
    results,
    task_labels,
)

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
