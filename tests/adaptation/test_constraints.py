"""Distance from the pretrained weights: penalty, projection, and their limits."""

import math

import numpy as np
import pytest
import torch
from small_adaptation import BUDGET, DATA, FRESH, new_network
from torch import nn

from carryover._core.errors import InputError
from carryover.adaptation.constraints import Anchor
from carryover.adaptation.outcome import Split, run_plan
from carryover.adaptation.plans import Phase, Plan


def moved(scale: float = 1.0) -> tuple[nn.Module, Anchor]:
    """A network some way from where it started."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)).double()
        anchor = Anchor(network, [name for name, _ in network.named_parameters()])
        with torch.no_grad():
            for weight in network.parameters():
                weight.add_(scale * torch.randn_like(weight))
    return network, anchor


def flat(tensors) -> np.ndarray:
    return torch.cat([one.detach().flatten() for one in tensors]).numpy()


def test_the_penalty_is_half_the_squared_distance_and_its_gradient_the_gap():
    network, anchor = moved()
    value = anchor.half_squared_distance()
    gap = flat(network.parameters()) - flat(anchor.start)
    assert value.item() == pytest.approx(0.5 * gap @ gap, rel=1e-12)
    value.backward()
    np.testing.assert_allclose(flat(weight.grad for weight in network.parameters()), gap, rtol=1e-12)
    by_name = anchor.distances()
    assert sum(one**2 for one in by_name.values()) == pytest.approx(gap @ gap, rel=1e-12)
    assert set(by_name) == {name for name, _ in network.named_parameters()}


@pytest.mark.parametrize("by_layer", [False, True])
def test_projection_gives_the_nearest_point_of_the_ball(by_layer):
    network, anchor = moved()
    start, far = flat(anchor.start), flat(network.parameters())
    first_layer = sum(weight.numel() for weight in network[0].parameters())
    radius = 0.8
    anchor.project(radius, by_layer=by_layer)
    found = flat(network.parameters())

    parts = [slice(first_layer), slice(first_layer, None)] if by_layer else [slice(None)]
    for part in parts:
        assert np.linalg.norm((found - start)[part]) <= radius * (1 + 1e-12)
        # A point of a convex set is the nearest one to `far` exactly if no point of the set lies further towards `far`;
        # of a ball, the furthest one along a direction is its centre and the radius that way.
        towards = (far - found)[part]
        furthest = towards @ start[part] + radius * np.linalg.norm(towards)
        assert towards @ found[part] == pytest.approx(furthest, rel=1e-12)
        assert np.linalg.norm(towards) > 0.1
    again = found.copy()
    anchor.project(radius, by_layer=by_layer)
    np.testing.assert_allclose(flat(network.parameters()), again, rtol=0, atol=1e-15)


def test_the_limits_of_the_radius():
    network, anchor = moved()
    far = flat(network.parameters())
    anchor.project(math.inf)
    assert np.array_equal(flat(network.parameters()), far)
    anchor.project(1e6)
    assert np.array_equal(flat(network.parameters()), far)
    anchor.project(0.0)
    assert np.array_equal(flat(network.parameters()), flat(anchor.start))
    anchor.project(0.0, by_layer=True)
    assert np.array_equal(flat(network.parameters()), flat(anchor.start))
    for radius in (-1.0, math.nan):
        with pytest.raises(InputError, match="radius must be >= 0"):
            anchor.project(radius)


def test_nothing_to_hold_is_no_distance():
    anchor = Anchor(nn.Linear(2, 2), [])
    anchor.project(0.0)
    assert float(anchor.half_squared_distance()) == 0.0 and anchor.distances() == {}


def test_a_relative_radius_is_a_share_of_the_norm_of_what_trains():
    network = new_network()
    plan = Plan("ball", (Phase("fine-tune", relative_radius=0.01, learning_rate=0.05),))
    start = math.hypot(*(float(weight.norm()) for weight in network.encoder.parameters()))
    outcome = run_plan(lambda: network, plan, Split(DATA, FRESH), budget=BUDGET)
    distance = math.hypot(*outcome.phases[-1].distances.values())
    assert distance == pytest.approx(0.01 * start, rel=1e-3)
    with pytest.raises(InputError, match="with by_layer give radius"):
        Phase("fine-tune", relative_radius=0.1, by_layer=True)
