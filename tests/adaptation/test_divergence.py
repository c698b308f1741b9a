"""Runs that diverge: stopped at their step, with the best weights before it or a reason why there are none."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from small_adaptation import BUDGET, DATA, FRESH, examples, new_network

from carryover._core.errors import NotComputedError
from carryover.adaptation.diverging import exploded
from carryover.adaptation.outcome import Split, measures_of, run_plan
from carryover.adaptation.phases import Examples, mean_loss, run_phase
from carryover.adaptation.plans import PLANS, Phase, Plan
from carryover.training.checkpoint import checkpoint_folders
from carryover.training.loop import LoopOptions

WILD = Phase("wild", learning_rate=30.0, optimizer="sgd", momentum=0.5)
UNCLIPPED = dataclasses.replace(BUDGET, clip_norm=0.0)
BEST = dataclasses.replace(WILD, keep="best_on_validation")


def stopped_after(steps: int, phase: Phase) -> torch.nn.Module:
    """The network that ``phase`` has after so many of its steps."""
    network = new_network()
    asked = iter([False] * (steps - 1) + [True])
    run_phase(network, phase, DATA, budget=UNCLIPPED, options=LoopOptions(stop=lambda: next(asked)))
    return network


def test_a_phase_that_keeps_the_best_weights_ends_with_them():
    network, seen = new_network(), []
    options = LoopOptions(log_every=1, progress=seen.append)
    found = run_phase(network, BEST, DATA, budget=UNCLIPPED, validation=FRESH, options=options)
    assert found.done and 1 < found.diverged_at <= 30 and found.steps == found.diverged_at - 1 == len(seen)
    assert all(row["adaptation_loss"] <= 1000 * math.log(3) for row in seen)
    replayed = [stopped_after(steps, WILD) for steps in range(1, found.diverged_at)]
    losses = [mean_loss(one, FRESH) for one in replayed]
    assert found.best_step == int(np.nanargmin(losses)) + 1
    for name, value in replayed[found.best_step - 1].state_dict().items():
        assert torch.equal(value, network.state_dict()[name]), name
    assert f"at step {found.diverged_at}, learning rate " in found.warning
    assert f"those of step {found.best_step}" in found.warning
    with pytest.raises(NotComputedError, match=f"at step {found.diverged_at}, learning rate"):
        stopped_after(30, WILD)


def test_without_weights_to_go_back_to_it_says_so_and_the_checkpoint_stays(tmp_path):
    options = LoopOptions(folder=tmp_path, checkpoint_every=1)
    for _ in range(2):  # taken up again, it ends at the same step
        with pytest.raises(NotComputedError) as raised:
            run_phase(new_network(), WILD, DATA, budget=UNCLIPPED, options=options)
        last = checkpoint_folders(tmp_path / "checkpoints")[-1]
        step = int(last.name.removeprefix("step-"))
        assert f"at step {step + 1}, learning rate" in str(raised.value)
        assert f"the checkpoint of step {step} stays in {tmp_path}" in str(raised.value)
        assert str(raised.value).endswith('smaller learning rate, or keep = "best_on_validation"')
    lost = Examples(torch.full_like(DATA.images, torch.nan), DATA.targets)
    with pytest.raises(NotComputedError, match=r"'wild' diverged: the loss is nan at step 1, .* rate$"):
        run_phase(new_network(), BEST, lost, budget=BUDGET, validation=FRESH)


def test_a_finite_loss_counts_from_a_thousand_times_what_zeros_lose():
    wrong = exploded(2.0)
    assert wrong({"adaptation_loss": 2000.0}) is None
    assert wrong({"adaptation_loss": 2001.0}) == "the loss is 2e+03, over 1,000 times what scores of 0 lose,"
    assert exploded(0.0)({"adaptation_loss": 1e9}) is None
    data = examples(48, 0, "regression")
    with pytest.raises(
        NotComputedError, match=r"over 1,000 times what scores of 0 lose, at step \d+, learning rate"
    ):
        run_phase(new_network(1), Phase("x", learning_rate=3.0, optimizer="sgd"), data, budget=UNCLIPPED)
    # Numbers far from 0 start with a large loss, which is no divergence.
    far = Examples(data.images, data.targets + 1e4)
    assert run_phase(new_network(1), Phase("x"), far, budget=BUDGET).diverged_at is None


def test_a_run_stopped_before_the_first_look_at_validation_goes_on(tmp_path):
    phase = Phase("fine-tune", keep="best_on_validation")
    budget = dataclasses.replace(BUDGET, steps=60)  # looked at after every third step
    whole, broken = new_network(), new_network()
    run_phase(whole, phase, DATA, budget=budget, validation=FRESH)
    options = LoopOptions(folder=tmp_path, stop=lambda: True)
    assert not run_phase(broken, phase, DATA, budget=budget, validation=FRESH, options=options).done
    again = LoopOptions(folder=tmp_path)
    assert run_phase(broken, phase, DATA, budget=budget, validation=FRESH, options=again).done
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), broken.parameters(), strict=True))


def test_where_only_what_the_loss_is_compared_with_diverges_the_plan_stands():
    lost = Examples(torch.full_like(DATA.images, torch.nan), DATA.targets)
    plain = run_plan(new_network, PLANS["fine_tuning"], Split(DATA, FRESH), budget=BUDGET)
    found = run_plan(new_network, PLANS["fine_tuning"], Split(DATA, FRESH, pool=lost), budget=BUDGET)
    best = found.decomposition.parts["best_constrained"]
    assert best.status == "abstained" and "was not found: phase 'fine-tune' diverged" in best.reason
    np.testing.assert_array_equal(found.scores, plain.scores)
    # The phase falls back on its best weights; training on from there keeps the last, and has none.
    plan = Plan("p", (BEST,))
    found = run_plan(new_network, plan, Split(DATA, FRESH, FRESH), budget=UNCLIPPED, longer=True)
    gap = found.decomposition.optimization_gap
    assert gap.status == "abstained" and "phase 'wild' diverged" in gap.reason
    assert found.warnings == (found.phases[0].warning,) and found.phases[0].diverged_at > 1
    assert mean_loss(found.network, DATA) == pytest.approx(found.decomposition.training_loss, rel=1e-5)


def test_losses_that_are_not_finite_are_not_measured():
    for targets, names in ((np.array([0, 1]), ("accuracy", "log_loss")), (np.ones(2), ("r2", "mse"))):
        found = measures_of(np.ones((2, 2)), targets, np.array([1.0, np.inf]))
        assert tuple(found) == names
        assert all(one.status == "failed" and "NaN or infinite" in one.reason for one in found.values())

    lost = Examples(torch.full_like(FRESH.images, torch.nan), FRESH.targets)
    for split in (Split(DATA, lost), Split(DATA, FRESH, lost)):
        with pytest.raises(NotComputedError, match="the adapted network's losses are NaN or infinite"):
            run_plan(new_network, PLANS["linear_probe"], split, budget=BUDGET)


def test_the_ball_of_a_later_phase_is_around_the_pretrained_weights():
    phases = (Phase("away", share=0.5, learning_rate=3e-2), Phase("ball", share=0.5, radius=0.1))
    found = run_plan(new_network, Plan("p", phases), Split(DATA, FRESH), budget=BUDGET)
    start = new_network().state_dict()
    for phase, radius in zip(found.phases, (math.inf, 0.1), strict=True):
        assert math.sqrt(sum(one**2 for one in phase.distances.values())) <= radius * (1 + 1e-5)
    for name, distance in found.phases[1].distances.items():
        gap = found.network.state_dict()[name] - start[name]
        assert distance == pytest.approx(float(gap.norm()), rel=1e-5, abs=1e-7)
    assert math.sqrt(sum(one**2 for one in found.phases[0].distances.values())) > 0.5
