"""A whole plan: its phases in order, what it measures, resume between and inside phases, and its decomposition."""

import math

import numpy as np
import pytest
import torch
from small_adaptation import BUDGET, DATA, FRESH, examples, new_network

from carryover.adaptation.outcome import Split, example_losses, run_plan
from carryover.adaptation.phases import all_scores
from carryover.adaptation.plans import PLANS, Phase, Plan
from carryover.models.initial_scales import InitialScales
from carryover.training.loop import LoopOptions

SPLIT = Split(DATA, FRESH)


@pytest.mark.parametrize("name", PLANS)
def test_every_plan_runs_and_says_what_it_measured(name):
    found = run_plan(new_network, PLANS[name], SPLIT, budget=BUDGET)
    assert found.done and [one.name for one in found.phases] == [one.name for one in PLANS[name].phases]
    scores = all_scores(found.network, FRESH.images).numpy()
    np.testing.assert_array_equal(found.scores, scores)
    right = np.mean(scores.argmax(axis=1) == FRESH.targets.numpy())
    assert found.measures["accuracy"].value == pytest.approx(right)
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_likelihood = shifted[np.arange(60), FRESH.targets] - np.log(np.exp(shifted).sum(axis=1))
    assert found.measures["log_loss"].value == pytest.approx(-log_likelihood.mean(), rel=1e-5)
    parts = found.decomposition
    assert parts.whole.value == pytest.approx(found.measures["log_loss"].value, rel=1e-9)
    assert parts.parts["best_constrained"].status == "abstained"


def test_numbers_are_measured_as_numbers():
    data, fresh = examples(48, 0, "regression"), examples(60, 1, "regression")
    found = run_plan(lambda: new_network(1), PLANS["lp_ft"], Split(data, fresh), budget=BUDGET)
    residual = found.scores[:, 0] - fresh.targets.numpy()
    assert found.measures["mse"].value == pytest.approx(np.mean(residual.astype(np.float64) ** 2), rel=1e-5)
    expected = 1 - np.sum(residual**2) / np.sum((fresh.targets.numpy() - fresh.targets.numpy().mean()) ** 2)
    assert found.measures["r2"].value == pytest.approx(expected, rel=1e-4)


def test_the_decomposition_has_a_best_where_there_is_a_pool():
    pool = examples(300, 7)
    split = Split(DATA, FRESH, pool=pool)
    found = run_plan(
        new_network, Plan("p", (Phase("fine-tune", learning_rate=1e-2),)), split, budget=BUDGET, longer=True
    )
    parts = found.decomposition.parts
    assert all(part.status == "ok" for part in parts.values())
    assert sum(part.value for part in parts.values()) == pytest.approx(
        found.decomposition.whole.value, abs=1e-9
    )
    assert parts["best_constrained"].value < found.decomposition.whole.value
    assert found.decomposition.optimization_gap.value > 0
    # Looking further left the network as it was.
    again = run_plan(new_network, found.plan, SPLIT, budget=BUDGET)
    for one, other in zip(found.network.parameters(), again.network.parameters(), strict=True):
        assert torch.equal(one, other)
    assert float(example_losses(found.network, DATA).mean()) == pytest.approx(
        found.decomposition.training_loss
    )


def test_a_stopped_plan_is_taken_up_in_its_phase(tmp_path):
    plan = Plan("two", (Phase("first", share=0.5), Phase("second", share=0.5, radius=0.1)))
    whole = run_plan(new_network, plan, SPLIT, budget=BUDGET)
    for stop_at in (4, 15, 22):
        folder = tmp_path / str(stop_at)
        asked = iter([False] * stop_at + [True])
        options = LoopOptions(folder=folder, stop=lambda asked=asked: next(asked, False))
        first = run_plan(new_network, plan, SPLIT, budget=BUDGET, options=options)
        assert not first.done and first.decomposition is None
        second = run_plan(new_network, plan, SPLIT, budget=BUDGET, options=LoopOptions(folder=folder))
        for one, other in zip(whole.network.parameters(), second.network.parameters(), strict=True):
            assert torch.equal(one, other)


def test_lp_ft_starts_from_the_probe_and_a_ball_of_radius_0_stays_there():
    probe = run_plan(new_network, PLANS["linear_probe"], SPLIT, budget=BUDGET)
    still = Plan(
        "still", (*PLANS["linear_probe"].phases, Phase("nothing", learning_rate=1e-12, radius=math.inf))
    )
    found = run_plan(new_network, still, SPLIT, budget=BUDGET)
    np.testing.assert_allclose(found.scores, probe.scores, rtol=1e-5, atol=1e-5)


def test_scales_are_set_before_and_warned_of():
    plan = Plan("p", (Phase("fine-tune", batch_norm="train"),))
    plain = run_plan(
        new_network, PLANS["linear_probe"], SPLIT, budget=BUDGET, scales=InitialScales(all_weights=0.5)
    )
    assert not torch.equal(plain.network.encoder.encoder[0].weight, new_network().encoder.encoder[0].weight)
    # With the pretrained statistics nothing is cancelled; with the batch's the convolutions before them are.
    assert plain.warnings == ()

    def normalising():
        network = new_network()
        network.batch_norm = "train"
        return network

    found = run_plan(normalising, plan, SPLIT, budget=BUDGET, scales=InitialScales(all_weights=0.5))
    assert "cancels the scale of 2 layers (encoder.encoder.0, encoder.encoder.3)" in found.warnings[0]
