"""Phases on a small network: the exact probe, balls and their limits, low rank, batch norms, the best weights."""

import math

import numpy as np
import pytest
import torch
from small_adaptation import BUDGET, DATA, FRESH, SOURCE, examples, new_network

from carryover._core.errors import InputError
from carryover.adaptation.network import AdaptedNetwork, pretrained_names
from carryover.adaptation.phases import (
    Examples,
    all_features,
    all_scores,
    mean_loss,
    prediction_loss,
    run_phase,
)
from carryover.adaptation.plans import PLANS, Lora, Phase
from carryover.measures.ridge import fit_ridge_path
from carryover.models.loading import load_model
from carryover.training.loop import LoopOptions


def state(network: AdaptedNetwork) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_probe_is_the_exact_ridge_solution(task):
    network = new_network(3 if task == "classification" else 1)
    data = examples(48, 0, task)
    before = state(network)
    found = run_phase(network, PLANS["linear_probe"].phases[0], data, budget=BUDGET)
    features = all_features(network, data.images).astype(np.float64)
    counted = {"n_classes": 3} if task == "classification" else {}
    path = fit_ridge_path(features, data.targets.numpy(), task=task, **counted)
    fresh = all_features(network, FRESH.images).astype(np.float64)
    expected = path.predict_scores(fresh) / (path.temperature or 1.0)
    np.testing.assert_allclose(all_scores(network, FRESH.images).numpy(), expected, rtol=1e-4, atol=1e-4)
    assert found.penalty == path.penalty and found.steps == 0
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]) == (not name.startswith("head."))


def test_fine_tuning_learns_and_reports_how_far_it_went():
    network = new_network()
    before = state(network)
    first = mean_loss(network, DATA)
    found = run_phase(network, Phase("fine-tune", learning_rate=2e-2), DATA, budget=BUDGET)
    assert mean_loss(network, DATA) < 0.7 * first and found.steps == 30
    for name, distance in found.distances.items():
        gap = network.state_dict()[name] - before[name]
        assert distance == pytest.approx(float(gap.norm()), rel=1e-5, abs=1e-7)
    assert set(found.distances) == {name for name in before if name.startswith("encoder.")} - {
        name for name in before if "running" in name or "num_batches" in name
    }


@pytest.mark.parametrize("by_layer", [False, True])
def test_radius_0_is_the_pretrained_network_and_infinity_plain_fine_tuning(by_layer):
    pretrained, plain, nowhere, everywhere, within = (new_network() for _ in range(5))
    run_phase(plain, Phase("fine-tune"), DATA, budget=BUDGET)
    run_phase(nowhere, Phase("fine-tune", radius=0.0, by_layer=by_layer), DATA, budget=BUDGET)
    run_phase(everywhere, Phase("fine-tune", radius=math.inf, by_layer=by_layer), DATA, budget=BUDGET)
    for name, value in pretrained.encoder.state_dict().items():
        assert torch.equal(value, nowhere.encoder.state_dict()[name])
    assert not torch.equal(nowhere.head.weight, pretrained.head.weight)
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), everywhere.parameters(), strict=True))
    found = run_phase(within, Phase("fine-tune", radius=0.05, by_layer=by_layer), DATA, budget=BUDGET)
    squares = {}
    for name, distance in found.distances.items():
        group = name.rpartition(".")[0] if by_layer else "all"
        squares[group] = squares.get(group, 0.0) + distance**2
    reached = [math.sqrt(square) for square in squares.values()]
    assert max(reached) == pytest.approx(0.05, rel=1e-4)


def test_the_l2_sp_penalty_pulls_towards_the_pretrained_weights():
    lengths = []
    for strength in (0.0, 1.0, 100.0):
        network = new_network()
        found = run_phase(
            network, Phase("fine-tune", l2_sp=strength, learning_rate=3e-3), DATA, budget=BUDGET
        )
        lengths.append(math.sqrt(sum(distance**2 for distance in found.distances.values())))
    assert lengths[2] < lengths[1] < lengths[0] and lengths[2] < 0.3 * lengths[0]


def test_low_rank_additions_start_at_nothing_and_leave_the_pretrained_weights():
    network, untouched = new_network(), new_network()
    phase = Phase("low rank", lora=Lora(rank=2, layers=("encoder.*",)), learning_rate=1e-2)
    scores = all_scores(network, FRESH.images)
    still = new_network()
    run_phase(still, Phase("low rank", lora=Lora(rank=2), learning_rate=1e-12), DATA, budget=BUDGET)
    torch.testing.assert_close(all_scores(still, FRESH.images), scores, rtol=0, atol=1e-6)
    before = mean_loss(network, DATA)
    run_phase(network, phase, DATA, budget=BUDGET)
    assert mean_loss(network, DATA) < before
    trained = [name for name, weight in network.named_parameters() if weight.requires_grad]
    assert trained and all(".lora_" in name or name.startswith("head.") for name in trained)
    pretrained = dict(untouched.named_parameters())
    for name, weight in network.named_parameters():
        if name not in trained:
            assert torch.equal(weight, pretrained[name.replace(".base_layer", "")]), name
    changed = {name.rpartition(".lora_")[0] for name in trained if ".lora_" in name}
    assert all(".encoder." in name for name in changed) and len(changed) == 3
    with pytest.raises(InputError, match=r"'nothing' matches no linear or convolutional layer"):
        run_phase(new_network(), Phase("x", lora=Lora(layers=("nothing",))), DATA, budget=BUDGET)


@pytest.mark.parametrize(("mode", "moves"), [("frozen", False), ("train", True)])
def test_batch_norms_do_as_declared(mode, moves):
    network = new_network()
    before = state(network)
    run_phase(network, Phase("fine-tune", batch_norm=mode), DATA, budget=BUDGET)
    statistics = [name for name in before if "running" in name]
    assert statistics
    for name in statistics:
        assert torch.equal(network.state_dict()[name], before[name]) != moves


def test_the_best_weights_on_validation_are_kept_and_survive_a_stop(tmp_path):
    phase = Phase("fine-tune", learning_rate=0.2, keep="best_on_validation")
    network = new_network()
    found = run_phase(network, phase, DATA, budget=BUDGET, validation=FRESH)
    # Every step is a candidate here; replay them without keeping anything.
    losses = []
    for steps in range(1, 31):
        other = new_network()
        asked = iter([False] * (steps - 1) + [True] * 99)
        options = LoopOptions(stop=lambda asked=asked: next(asked))
        run_phase(other, Phase("fine-tune", learning_rate=0.2), DATA, budget=BUDGET, options=options)
        losses.append(mean_loss(other, FRESH))
    assert found.best_step == int(np.argmin(losses)) + 1 < 30
    assert mean_loss(network, FRESH) == pytest.approx(min(losses), rel=1e-6)
    asked = iter([False] * found.best_step + [True] + [False] * 99)
    options = LoopOptions(folder=tmp_path, stop=lambda: next(asked))
    broken = new_network()
    assert not run_phase(broken, phase, DATA, budget=BUDGET, validation=FRESH, options=options).done
    taken_up = new_network()
    again = run_phase(taken_up, phase, DATA, budget=BUDGET, validation=FRESH, options=options)
    assert again.best_step == found.best_step
    for one, other in zip(taken_up.parameters(), network.parameters(), strict=True):
        assert torch.equal(one, other)


def test_what_cannot_be_adapted_is_refused():
    alone = Examples(DATA.images, torch.zeros(48, dtype=torch.int64))
    with pytest.raises(InputError, match="all training examples have the same class"):
        run_phase(new_network(), Phase("fine-tune"), alone, budget=BUDGET)
    with pytest.raises(InputError, match="keeps the best weights on validation examples, and there are none"):
        run_phase(new_network(), Phase("x", keep="best_on_validation"), DATA, budget=BUDGET)
    with pytest.raises(InputError, match="matches no parameter"):
        run_phase(new_network(), Phase("x", trains=("enoder.*",)), DATA, budget=BUDGET)
    network = AdaptedNetwork(load_model(SOURCE), width=15, n_outputs=3)
    with pytest.raises(InputError, match="the head takes 15 features and the network gives 16"):
        network(DATA.images)
    with pytest.raises(InputError, match=r"must have shape \(3, 15\)"):
        network.set_head(torch.zeros(3, 16), torch.zeros(3))


def test_losses_are_those_of_the_definitions():
    scores, codes = (
        torch.randn(5, 3, generator=torch.Generator().manual_seed(0)),
        torch.tensor([0, 2, 1, 1, 0]),
    )
    by_hand = -np.mean(
        [np.log(np.exp(s[c]) / np.exp(s).sum()) for s, c in zip(scores.numpy(), codes, strict=True)]
    )
    assert float(prediction_loss(scores, codes)) == pytest.approx(by_hand, rel=1e-6)
    numbers = torch.arange(5.0)
    expected = float(((scores[:, 0] - numbers) ** 2).mean())
    assert float(prediction_loss(scores[:, :1], numbers)) == pytest.approx(expected, rel=1e-6)
    assert len(pretrained_names(new_network())) == 0  # frozen as loaded: nothing is asked to train yet
