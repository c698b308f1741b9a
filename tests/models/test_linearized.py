"""The linearised network: first-order agreement, exactness where nothing bends, and gradients of the network itself."""

import copy

import numpy as np
import pytest
import torch
from tangent_networks import NETWORKS, convolutional, images, jacobian, transformer
from torch import Tensor, nn
from torch.nn import functional

from carryover._core.errors import InputError
from carryover.models.linearized import LinearizedNetwork


def _double(name: str) -> tuple[nn.Module, Tensor]:
    return NETWORKS[name]().double(), images(5).double()


def _value(network: nn.Module, inputs: Tensor) -> Tensor:
    found = network.eval()(inputs)
    return getattr(found, "logits", found)


def _moved(network: nn.Module, step: float) -> None:
    """The weights plus ``step`` times one fixed direction."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in network.parameters():
            weight += step * torch.randn(weight.shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("name", NETWORKS)
def test_first_order_agreement(name):
    """Halving the step divides the difference from the network by four, and it is small beside the change itself."""
    network, inputs = _double(name)
    start, gaps, changes = _value(network, inputs).detach(), [], []
    for step in (2e-6, 1e-6):
        moved, linear = copy.deepcopy(network), LinearizedNetwork(copy.deepcopy(network))
        _moved(moved, step)
        _moved(linear.network, step)
        with torch.no_grad():
            gaps.append(float((_value(moved, inputs) - linear(inputs)).norm()))
            changes.append(float((linear(inputs) - start).norm()))
    assert gaps[0] / gaps[1] == pytest.approx(4.0, rel=0.1)
    assert changes[0] / changes[1] == pytest.approx(2.0, rel=1e-6)
    assert gaps[0] < 0.05 * changes[0]


@pytest.mark.parametrize("name", NETWORKS)
def test_value_far_away_is_start_plus_jacobian_times_change(name):
    network, inputs = _double(name)
    rows, start = jacobian(network, inputs), _value(network, inputs).detach().numpy()
    linear = LinearizedNetwork(copy.deepcopy(network))
    _moved(linear.network, 0.7)
    pairs = zip(linear.network.parameters(), network.parameters(), strict=True)
    change = torch.cat([(now - before).detach().flatten() for now, before in pairs]).numpy()
    with torch.no_grad():
        np.testing.assert_allclose(linear(inputs).numpy(), start + rows @ change, rtol=1e-9, atol=1e-9)


def test_network_linear_in_its_parameters_is_reproduced_anywhere():
    network = nn.Sequential(nn.Flatten(), nn.ReLU(), nn.Linear(192, 3)).double()
    linear, inputs = LinearizedNetwork(copy.deepcopy(network)), images(5).double()
    _moved(network, 3.0)
    _moved(linear.network, 3.0)
    torch.testing.assert_close(linear(inputs), network(inputs), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_gradient_at_the_start_is_the_networks_own(name):
    network, inputs = _double(name)
    labels = torch.tensor([0, 1, 2, 1, 0])
    linear = LinearizedNetwork(copy.deepcopy(network))
    functional.cross_entropy(linear(inputs), labels).backward()
    functional.cross_entropy(_value(network, inputs), labels).backward()
    for (own, weight), other in zip(network.named_parameters(), linear.network.parameters(), strict=True):
        expected = torch.zeros_like(weight) if weight.grad is None else weight.grad
        found = torch.zeros_like(weight) if other.grad is None else other.grad
        torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-10, msg=own)


def test_any_trainer_can_train_it_and_batch_norm_stays():
    linear = LinearizedNetwork(convolutional())
    before = copy.deepcopy(linear.network.state_dict())
    inputs, labels = images(12), torch.arange(12) % 3
    optimizer = torch.optim.Adam(linear.parameters(), lr=0.03)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = functional.cross_entropy(linear.train()(inputs), labels)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
    assert linear.network.training
    after = linear.network.state_dict()
    assert all(
        torch.equal(after[name], before[name]) for name in after if "running" in name or "tracked" in name
    )


def test_trained_alone_or_in_one_batch_is_the_same():
    """No example's output depends on the others, in training mode too."""
    linear, inputs = LinearizedNetwork(convolutional()).train(), images(4)
    _moved(linear.network.double(), 0.1)
    linear = linear.double()
    alone = torch.cat([linear(one[None]) for one in inputs.double()])
    torch.testing.assert_close(linear(inputs.double()), alone)


def test_what_trains_keeps_its_names_and_the_start_is_saved_with_it():
    network = convolutional()
    start = copy.deepcopy(network.state_dict())
    linear = LinearizedNetwork(network)
    assert [name for name, _ in linear.named_parameters()] == [
        f"network.{name}" for name, _ in convolutional().named_parameters()
    ]
    _moved(linear.network.double(), 0.1)
    again = LinearizedNetwork(convolutional(seed=5))
    again.load_state_dict(linear.state_dict())
    for name, weight in again.start().items():
        torch.testing.assert_close(weight, start[name])
    torch.testing.assert_close(again(images(2)), linear.float()(images(2)))


class _WithoutForwardMode(torch.autograd.Function):
    @staticmethod
    def forward(values: Tensor) -> Tensor:
        return values.clone()

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:
        pass

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return gradient


class _Opaque(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(192, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        return _WithoutForwardMode.apply(self.linear(inputs.flatten(1)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (nn.ReLU, "without parameters has no tangent"),
        (lambda: nn.Conv2d(3, 2, 3), r"must give a matrix \(examples, outputs\)"),
        (_Opaque, "cannot be linearised"),
    ],
)
def test_misuse_is_named(make, message):
    with pytest.raises(InputError, match=message):
        LinearizedNetwork(make())(images(2))


def test_attention_of_transformers_is_left_as_it_was():
    linear = LinearizedNetwork(transformer())
    linear(images(1))
    assert linear.network.config._attn_implementation == "sdpa"
    assert linear.network.training
