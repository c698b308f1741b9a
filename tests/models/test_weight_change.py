"""Relative change and balance by layer: known numbers, a conservation law, refusals."""

import itertools

import pytest
import torch
from tangent_networks import convolutional
from torch import nn

from carryover._core.errors import InputError
from carryover.models.seeding import seeded_torch
from carryover.models.weight_change import layer_balances, weight_changes


def test_changes_of_known_size():
    before = {"a.weight": torch.full((2, 2), 3.0), "a.bias": torch.zeros(2), "n": torch.tensor(4)}
    after = {"a.weight": torch.full((2, 2), -1.5), "a.bias": torch.tensor([3.0, 4.0]), "n": torch.tensor(9)}
    weight, bias = weight_changes(before, after)
    assert (weight.name, weight.norm_before, weight.norm_after) == ("a.weight", 6.0, 3.0)
    assert (weight.distance, weight.relative_change) == (9.0, 1.5)
    assert (bias.distance, bias.relative_change) == (5.0, None)


def test_statistics_of_batch_norm_are_no_weights():
    first, second = convolutional(0), convolutional(1)
    names = [change.name for change in weight_changes(first.state_dict(), second.state_dict())]
    assert names == [name for name, _ in first.named_parameters()]


def test_balance_is_the_difference_of_squared_norms_of_matrices_in_order():
    first, second = convolutional(0), convolutional(1)
    balances = layer_balances(first.state_dict(), second.state_dict())
    layers = [name for name, weight in first.named_parameters() if weight.ndim > 1]
    assert [(pair.first, pair.second) for pair in balances] == list(itertools.pairwise(layers))
    for pair in balances:
        for network, found in ((first, pair.before), (second, pair.after)):
            sizes = [
                float((network.get_parameter(name).detach() ** 2).sum()) for name in (pair.first, pair.second)
            ]
            assert found == pytest.approx(sizes[0] - sizes[1], rel=1e-5)


@pytest.mark.parametrize("activation", [nn.Identity, nn.ReLU])
def test_gradient_flow_conserves_the_balance(activation):
    """Of layers without biases: the change is of second order in the step, the weights' own of first order."""
    generator = torch.Generator().manual_seed(0)
    inputs, targets = (torch.randn(20, 4, generator=generator).double() for _ in range(2))
    drifts = []
    for rate, steps in ((0.02, 200), (0.01, 400)):
        with seeded_torch(0):
            network = nn.Sequential(
                nn.Linear(4, 6, bias=False), activation(), nn.Linear(6, 5, bias=False), activation(),
                nn.Linear(5, 4, bias=False),
            ).double()  # fmt: skip
        before = {name: weight.detach().clone() for name, weight in network.state_dict().items()}
        optimizer = torch.optim.SGD(network.parameters(), lr=rate)
        for _ in range(steps):
            optimizer.zero_grad()
            (network(inputs) - targets).square().mean().backward()
            optimizer.step()
        after = network.state_dict()
        assert min(change.relative_change for change in weight_changes(before, after)) > 0.05
        drifts.append(max(abs(pair.after - pair.before) for pair in layer_balances(before, after)))
    assert drifts[0] < 0.01
    assert drifts[0] / drifts[1] == pytest.approx(2.0, rel=0.1)


@pytest.mark.parametrize(
    ("after", "message"),
    [
        ({}, "only one has: w"),
        ({"w": torch.zeros(3)}, r"w must have one shape, got \(2,\) before and \(3,\) after"),
        ({"w": torch.tensor([1.0, float("inf")])}, "w holds NaN or infinity"),
    ],
)
@pytest.mark.parametrize("measure", [weight_changes, layer_balances])
def test_misuse_is_named(measure, after, message):
    with pytest.raises(InputError, match=message):
        measure({"w": torch.ones(2)}, after)
