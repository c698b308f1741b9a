"""Forecasts: against refits without each example, on networks that stay in their linear regime, and abstaining."""

import dataclasses

import numpy as np
import pytest
import torch
from small_adaptation import BUDGET, DATA, new_network

from carryover._core.errors import InputError
from carryover.adaptation.forecast import (
    PROBE,
    TANGENT,
    forecast_plan,
    forecast_record,
    put_random_head,
    tangent_kernel,
)
from carryover.adaptation.measuring_specs import ForecastSpec
from carryover.adaptation.outcome import Split
from carryover.adaptation.phases import all_features
from carryover.adaptation.plans import PLANS, Phase, Plan
from carryover.measures.kernel_ridge import fit_kernel_ridge_path
from carryover.measures.probe import accuracy_estimate
from carryover.measures.ridge import fit_ridge_path

SPLIT = Split(DATA, DATA)


def test_the_probe_is_forecast_by_refitting_it_without_each_example():
    found = forecast_plan(new_network, PLANS["linear_probe"], SPLIT, budget=BUDGET)
    features = all_features(new_network(), DATA.images).astype(np.float64)
    labels = DATA.targets.numpy()
    penalty = fit_ridge_path(features, labels, n_classes=3).penalty
    right = []
    for row in range(len(DATA)):
        rest = np.delete(np.arange(len(DATA)), row)
        fit = fit_ridge_path(features[rest], labels[rest], n_classes=3, penalties=[penalty])
        right.append(fit.predict_scores(features[row : row + 1]).argmax() == labels[row])
    assert found.method == PROBE
    assert found.expected == accuracy_estimate(np.array(right))


def test_the_tangent_probe_of_a_head_alone_is_the_probe():
    """Only the head trains: gradients are the features, and both forecasts are one."""
    plan = Plan("head", (Phase("head", ("head.*",), learning_rate=1e-4),))
    found = forecast_plan(new_network, plan, SPLIT, budget=BUDGET)
    probe = forecast_plan(new_network, PLANS["linear_probe"], SPLIT, budget=BUDGET)
    assert found.method == TANGENT and found.expected == probe.expected
    assert found.pilot_distance.value < 1e-9


def test_the_kernel_is_the_mean_over_random_heads_of_products_of_gradients():
    network = new_network()
    few = type(DATA)(DATA.images[:9], DATA.targets[:9])
    spec = ForecastSpec(heads=2)
    kernel = tangent_kernel(network, PLANS["fine_tuning"], few, seed=1, spec=spec)
    total = np.zeros((9, 9))
    network.eval().requires_grad_(True)
    weights = list(network.parameters())
    for head in range(2):
        rows = []
        for image in few.images:
            slopes = torch.autograd.grad(network(image[None])[0, head], weights, allow_unused=True)
            rows.append(torch.cat([one.flatten() for one in slopes if one is not None]))
        total += (torch.stack(rows) @ torch.stack(rows).T).double().numpy() / 2
    np.testing.assert_allclose(kernel, total, rtol=1e-4)


def test_no_label_enters_the_kernel_but_by_the_size_of_the_head():
    heads = []
    for labels in (DATA.targets, (DATA.targets + 1) % 3):
        network = new_network()
        put_random_head(network, type(DATA)(DATA.images, labels), n_outputs=4, seed=0)
        heads.append(network.head.weight.detach())
    torch.testing.assert_close(heads[0], heads[1], rtol=1e-5, atol=1e-7)


def test_low_rank_additions_are_forecast_by_their_own_gradients():
    found = forecast_plan(new_network, PLANS["lora"], SPLIT, budget=BUDGET)
    assert found.method == TANGENT and found.unchecked.ok
    network = new_network()
    kernel = tangent_kernel(network, PLANS["lora"], DATA, seed=BUDGET.seed, spec=ForecastSpec())
    path = fit_kernel_ridge_path(kernel, DATA.targets.numpy(), n_classes=3)
    assert found.unchecked.value == path.loo_accuracy[path.selected]


def test_a_plan_that_leaves_its_tangent_is_not_forecast():
    still = Plan("still", (Phase("all", learning_rate=1e-7),))
    wild = Plan("wild", (Phase("all", learning_rate=0.05),))
    spec = ForecastSpec(pilot=1.0)
    calm = forecast_plan(new_network, still, SPLIT, budget=BUDGET, spec=spec)
    assert calm.expected.ok and calm.expected == calm.unchecked
    moved = forecast_plan(new_network, wild, SPLIT, budget=BUDGET, spec=spec)
    assert moved.expected.status == "abstained" and "linear regime does not hold" in moved.expected.reason
    assert moved.unchecked == calm.unchecked and moved.pilot_distance.interval[0] >= 0.1
    record = forecast_record(moved)
    assert record["accuracy"]["status"] == "abstained" and record["unchecked"]["status"] == "ok"


def test_very_few_labels_are_not_forecast_by_the_tangent():
    few = type(DATA)(DATA.images[:7], DATA.targets[:7])
    found = forecast_plan(new_network, PLANS["lp_ft"], Split(few, DATA), budget=BUDGET)
    assert (
        found.expected.status == "abstained" and "8 training labels or more, got 7" in found.expected.reason
    )


def test_a_kernel_that_rounding_has_spoilt_is_no_forecast_and_no_error(monkeypatch):
    """Single precision and gradients of very different sizes left eigenvalues far below 0 once in a random ViT."""
    spoilt = np.eye(len(DATA))
    spoilt[0, 0] = -50.0
    monkeypatch.setattr("carryover.adaptation.forecast.tangent_kernel", lambda *_, **__: spoilt)
    found = forecast_plan(new_network, PLANS["fine_tuning"], SPLIT, budget=BUDGET)
    assert found.expected.status == "failed" and "negative eigenvalues" in found.expected.reason


def test_a_plan_in_a_ball_is_not_forecast():
    found = forecast_plan(new_network, PLANS["ball"], SPLIT, budget=BUDGET)
    assert found.expected.status == "abstained" and "ball" in found.expected.reason


def test_more_labels_than_the_kernel_takes_are_left_out():
    few = forecast_plan(new_network, PLANS["lp_ft"], SPLIT, budget=BUDGET, spec=ForecastSpec(most_labels=20))
    assert few.unchecked.n_samples == 20


def test_memory_that_was_given_and_does_not_suffice_is_refused():
    many = type(DATA)(DATA.images.repeat(20, 1, 1, 1), DATA.targets.repeat(20))
    tight = ForecastSpec(memory_mib=1, most_labels=960)
    with pytest.raises(InputError, match="memory_budget must be at least"):
        forecast_plan(new_network, PLANS["lp_ft"], Split(many, many), budget=BUDGET, spec=tight)


def test_numbers_are_forecast_by_r2():
    from small_adaptation import examples

    data = examples(48, 0, "regression")
    budget = dataclasses.replace(BUDGET, steps=5)
    for plan in ("linear_probe", "lp_ft"):
        found = forecast_plan(lambda: new_network(1), PLANS[plan], Split(data, data), budget=budget)
        assert (found.unchecked or found.expected).value <= 1.0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"heads": 0}, "heads must be >= 1"),
        ({"most_labels": 7}, "most_labels >= 8"),
        ({"pilot": 0.0}, r"pilot must lie in \(0, 1\], got 0"),
        ({"memory_mib": 0}, "memory_mib must be >= 1"),
    ],
)
def test_specs_out_of_range_are_refused(arguments, words):
    with pytest.raises(InputError, match=words):
        ForecastSpec(**arguments)
