"""Measuring a run's regime: on a diagonal network trained by gradient descent, and its parts against definitions."""

import dataclasses

import numpy as np
import pytest
import torch
from linear_regimes import Problem, diagonal_run, sparse_problem
from small_adaptation import BUDGET, DATA, FRESH, new_network
from torch import Tensor, nn

from carryover._core.errors import InputError
from carryover.adaptation.counterfactual import shuffle_pretraining
from carryover.adaptation.measuring_specs import RegimeSpec
from carryover.adaptation.network import AdaptedNetwork
from carryover.adaptation.outcome import Split, run_plan
from carryover.adaptation.phases import Budget, Examples, all_scores
from carryover.adaptation.plans import PLANS, Phase, Plan
from carryover.adaptation.regime import check_regime_memory, measure_regime, regime_record
from carryover.adaptation.tangent import at_state, tangent_scores
from carryover.models.preprocessing import Preprocessing
from carryover.models.readout import FeatureFunction, flatten_positions
from carryover.models.records import LoadedModel
from carryover.theory.networks import Network

SPLIT = Split(DATA, FRESH)
MOVED = "head.weight"


class Diagonal(nn.Module):
    """(w+ x, -w- x), which a head v makes w+ v+ x - w- v- x: the first layer of a diagonal network."""

    def __init__(self, plus: np.ndarray, minus: np.ndarray) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.from_numpy(np.stack([plus, -minus])).float())

    def forward(self, images: Tensor) -> Tensor:
        return (images.flatten(1)[:, None] * self.weight).flatten(1)


def diagonal_network(network: Network, pretrained: np.ndarray) -> AdaptedNetwork:
    start = network.finetuning_start(pretrained)
    module = Diagonal(start.w_plus, start.w_minus)
    read_out = FeatureFunction(module, flatten_positions, "its output")
    model = LoadedModel("diagonal", "factory", module, read_out, Preprocessing(), "pooled", "", "", "", 0)
    found = AdaptedNetwork(model, width=2 * len(pretrained), n_outputs=1)
    readout = np.concatenate([start.v_plus, start.v_minus])[None]
    found.set_head(torch.from_numpy(readout).float(), torch.zeros(1))
    return found


def examples_of(problem: Problem) -> Split:
    def as_images(rows: np.ndarray) -> Tensor:
        return torch.from_numpy(rows * np.sqrt(rows.shape[1])).float()[:, :, None, None]

    scale = float(np.sqrt(problem.inputs.shape[1]))
    train = Examples(as_images(problem.inputs), torch.from_numpy(scale * problem.targets).float())
    return Split(train, Examples(as_images(problem.probes), torch.zeros(len(problem.probes))))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("regime", "network", "rate"),
    [
        ("I: rich, pretraining-independent", Network(1e-3, -1.0, 0.03), 0.03),
        ("II: lazy, pretraining-dependent", Network(1e-3, 0.0, 0.0), 0.1),
        ("III: lazy, pretraining-independent", Network(10.0, 0.0, 0.0), 0.001),
        ("IV: rich, pretraining-dependent", Network(1e-3, -0.99, 0.0), 0.05),
    ],
)
def test_a_trained_diagonal_network_is_placed_in_its_regime(regime, network, rate):
    """All runs are done: fine-tuning, its tangent, and fine-tuning after the first layer was shuffled."""
    problem = sparse_problem(0, d=60, n=20, shared=6, probes=80)
    split = examples_of(problem)
    phase = Phase("descent", ("encoder.*", "head.weight"), learning_rate=rate, optimizer="sgd")
    budget = Budget(steps=1500, batch_size=20, warmup=0.0, clip_norm=0.0)

    def make() -> AdaptedNetwork:
        return diagonal_network(network, problem.pretrained)

    outcome = run_plan(make, Plan("descent", (phase,)), split, budget=budget)
    exact = problem.probes @ diagonal_run(problem, network, problem.pretrained).coefficients * np.sqrt(60)
    np.testing.assert_allclose(outcome.scores[:, 0], exact, atol=0.1 * np.abs(exact).max())
    found = measure_regime(outcome, make, split, budget=budget, spec=RegimeSpec(examples=80))
    assert found.placement.regime == regime
    assert found.evidence["between_seeds"].value < 1e-6  # whole batches: nothing is random
    if found.placement.learning == "lazy":
        assert found.evidence["linearization_distance"].value < 0.1


def test_the_tangent_takes_the_steps_of_a_linear_network_itself():
    """Where the network is linear in what trains, its tangent is itself: the same descent gives the same scores."""
    plan = Plan("head", (Phase("head", ("head.*",), learning_rate=0.01),))
    outcome = run_plan(new_network, plan, SPLIT, budget=BUDGET)
    with at_state(outcome.network, outcome.start):
        found = tangent_scores(outcome.network, plan.phases[0], DATA, budget=BUDGET, images=FRESH.images)
    np.testing.assert_allclose(found, outcome.scores, atol=1e-5)


def test_at_state_puts_weights_and_what_trains_back():
    outcome = run_plan(new_network, PLANS["lp_ft"], SPLIT, budget=BUDGET)
    network = outcome.network
    kept = {name: value.clone() for name, value in network.state_dict().items()}
    with at_state(network, outcome.start):
        assert not torch.equal(network.state_dict()[MOVED], kept[MOVED])
        network.requires_grad_(False)
        network.head.weight.add_(1.0)
    assert all(torch.equal(value, kept[name]) for name, value in network.state_dict().items())
    assert all(weight.requires_grad for weight in network.parameters())


def test_a_probe_is_lazy_to_the_last_digit():
    outcome = run_plan(new_network, PLANS["linear_probe"], SPLIT, budget=BUDGET)
    found = measure_regime(outcome, new_network, SPLIT, budget=BUDGET)
    assert found.placement.learning == "lazy" and found.placement.order.value == 2.0
    assert found.evidence["kernel_distance"].value < 1e-12
    assert found.evidence["linearization_distance"].value == 0.0
    assert found.features.cka == pytest.approx(1.0) and found.features.share == pytest.approx(1.0)
    assert all(layer.relative_change == 0.0 for layer in found.layers)


@pytest.mark.parametrize("plan", ["fine_tuning", "lora", "l2_sp"])
def test_every_kind_of_descent_is_measured(plan):
    outcome = run_plan(new_network, PLANS[plan], SPLIT, budget=BUDGET)
    scores = outcome.scores.copy()
    record = regime_record(outcome, new_network, SPLIT, spec=RegimeSpec(examples=24), budget=BUDGET)
    assert record["status"] == "ok" and record["learning"] in ("lazy", "rich", "cannot_tell")
    assert {one["name"] for one in record["layers"]} and not any(
        ".lora_" in one["name"] for one in record["layers"]
    )
    assert record["evidence"]["kernel_growth"]["value"] > 1.0  # from a head of zeros
    assert 0.0 < record["kernel_target_alignment"]["after"] <= 1.0
    # Looking changed nothing.
    np.testing.assert_array_equal(all_scores(outcome.network, FRESH.images).numpy(), scores)


def test_numbers_have_a_regime_too():
    from small_adaptation import examples

    split = Split(examples(48, 0, "regression"), examples(60, 1, "regression"))
    outcome = run_plan(lambda: new_network(1), PLANS["lp_ft"], split, budget=BUDGET)
    record = regime_record(outcome, lambda: new_network(1), split, spec=RegimeSpec(), budget=BUDGET)
    assert record["status"] == "ok" and record["evidence"]["linearized_accuracy"]["value"] <= 1.0


def test_shuffling_keeps_every_matrix_s_entries_and_loses_their_places():
    network = new_network()
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    changed = shuffle_pretraining(network, DATA.images, seed=3)
    assert changed == [
        name for name, weight in before.items() if name.startswith("encoder.") and weight.ndim > 1
    ]
    for name, weight in network.named_parameters():
        same = torch.equal(weight, before[name])
        assert same == (name not in changed)
        torch.testing.assert_close(weight.flatten().sort().values, before[name].flatten().sort().values)
    again = new_network()
    shuffle_pretraining(again, DATA.images, seed=3)
    assert all(torch.equal(*pair) for pair in zip(network.parameters(), again.parameters(), strict=True))


def test_shuffled_networks_have_the_statistics_of_their_own_activations():
    network = new_network()
    norms = [layer for layer in network.encoder.modules() if isinstance(layer, nn.BatchNorm2d)]
    shuffle_pretraining(network, DATA.images, seed=0)
    seen: list[Tensor] = []
    handle = norms[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network.eval()
    network.features(DATA.images)
    handle.remove()
    torch.testing.assert_close(norms[0].running_mean, seen[0].mean(dim=(0, 2, 3)), rtol=1e-4, atol=1e-5)
    assert norms[0].momentum == 0.1 and not norms[0].training


def test_a_memory_budget_that_was_asked_for_and_is_too_small_is_refused():
    outcome = run_plan(new_network, PLANS["fine_tuning"], SPLIT, budget=BUDGET)
    tight = RegimeSpec(examples=60, memory_mib=1)
    big = dataclasses.replace(
        SPLIT, test=Examples(FRESH.images.repeat(20, 1, 1, 1), FRESH.targets.repeat(20))
    )
    with pytest.raises(InputError, match="memory_budget must be at least"):
        regime_record(
            outcome, new_network, big, spec=dataclasses.replace(tight, examples=1200), budget=BUDGET
        )


def test_memory_is_checked_before_anything_is_trained():
    tight = RegimeSpec(examples=1200, memory_mib=1)
    images = FRESH.images.repeat(20, 1, 1, 1)
    plans = [PLANS["linear_probe"], PLANS["fine_tuning"]]
    with pytest.raises(InputError, match=r"memory_budget must be at least .* bytes"):
        check_regime_memory(new_network, plans, images, tight)
    for spec in (dataclasses.replace(tight, memory_mib=None), dataclasses.replace(tight, plans="none")):
        check_regime_memory(new_network, plans, images, spec)
    check_regime_memory(new_network, plans, images, RegimeSpec(memory_mib=64))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"plans": "some"}, "'winner', 'all' or 'none'"),
        ({"examples": 7}, "examples must be >= 8, got 7"),
        ({"memory_mib": 0}, "memory_mib must be >= 1, got 0"),
    ],
)
def test_specs_out_of_range_are_refused(arguments, words):
    with pytest.raises(InputError, match=words):
        RegimeSpec(**arguments)
