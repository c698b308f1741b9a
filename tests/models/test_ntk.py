"""The tangent kernel against Jacobians taken one by one, whatever the memory budget; and its refusals."""

import copy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tangent_networks import NETWORKS, convolutional, images, jacobian, transformer
from torch import nn

from carryover._core.errors import InputError
from carryover.models.backbones import cifar_resnet20
from carryover.models.ntk import full_kernel, trace_kernel

N = 7


def _needed(network: nn.Module, inputs: torch.Tensor, kernel=trace_kernel) -> int:
    """What the refusal of a budget of one byte says is needed."""
    with pytest.raises(InputError, match="memory_budget must be at least") as refusal:
        kernel(network, inputs, memory_budget=1)
    return int(str(refusal.value).split("at least ")[1].split()[0])


@pytest.mark.parametrize("name", NETWORKS)
def test_both_forms_are_products_of_jacobians(name):
    network, inputs = NETWORKS[name](), images(N)
    rows = jacobian(network, inputs)
    n, k, p = rows.shape
    expected = rows.reshape(n * k, p) @ rows.reshape(n * k, p).T
    found = full_kernel(network, inputs)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    np.testing.assert_array_equal(found, found.T)
    trace = trace_kernel(network, inputs)
    expected = np.einsum("ikp,jkp->ij", rows, rows) / k
    np.testing.assert_allclose(trace, expected, atol=1e-5 * np.abs(expected).max())
    np.testing.assert_array_equal(trace, trace.T)


def test_residual_network_of_full_size():
    network, inputs = cifar_resnet20(), torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    rows = jacobian(network, inputs)
    expected = np.einsum("ikp,jkp->ij", rows, rows) / 10
    found = trace_kernel(network, inputs)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_double_precision_is_exact():
    network, inputs = convolutional().double(), images(N).double()
    rows = jacobian(network, inputs)
    expected = np.einsum("ikp,jkp->ij", rows, rows) / 3
    np.testing.assert_allclose(trace_kernel(network, inputs), expected, rtol=1e-11)


@pytest.mark.parametrize(
    ("make", "kernel", "factor"),
    [
        (convolutional, trace_kernel, 1),
        (convolutional, trace_kernel, 2),
        (convolutional, full_kernel, 1),
        (transformer, full_kernel, 2),
    ],
)
def test_least_budget_gives_the_same_kernel_and_one_byte_less_is_refused(make, kernel, factor):
    network, inputs = make(), images(N)
    needed = _needed(network, inputs, kernel)
    whole = kernel(network, inputs)
    streamed = kernel(network, inputs, memory_budget=factor * needed)
    np.testing.assert_allclose(streamed, whole, atol=1e-6 * np.abs(whole).max())
    with pytest.raises(InputError, match=f"at least {needed} bytes .* got {needed - 1}"):
        kernel(network, inputs, memory_budget=needed - 1)


def test_kernel_adds_up_over_parameters():
    network, inputs = convolutional(), images(N)
    names = [name for name, _ in network.named_parameters()]
    parts = [
        trace_kernel(network, inputs, parameters=[name for name in names if name.startswith(part)])
        for part in ("encoder", "head")
    ]
    np.testing.assert_allclose(sum(parts), trace_kernel(network, inputs), rtol=1e-5, atol=1e-5)
    features = network.eval().encoder(inputs).detach().double()
    np.testing.assert_allclose(parts[1], (features @ features.T + 1.0).numpy(), rtol=1e-5)


def test_network_is_left_as_it_was():
    network = transformer().train()
    network.vit.layernorm.eval()
    modes = [part.training for part in network.modules()]
    state = copy.deepcopy(network.state_dict())
    trace_kernel(network, images(2))
    assert [part.training for part in network.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert all(weight.grad is None and weight.requires_grad for weight in network.parameters())
    assert torch.backends.mha.get_fastpath_enabled()


class _BySign(nn.Module):
    """Goes one way or the other by the value of an input, which cannot be done for many examples at once."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(192, 3)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        found = self.linear(inputs.flatten(1))
        return found if inputs.sum() > 0 else -found


def _broken() -> nn.Module:
    network = convolutional()
    with torch.no_grad():
        network.head.weight[0, 0] = float("nan")
    return network


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (
            lambda: nn.Conv2d(3, 2, 3),
            {},
            r"matrix \(examples, outputs\) of floats, got a tensor of shape \(1, 2, 6, 6\)",
        ),
        (lambda: nn.ReLU(), {}, "no parameter to differentiate by"),
        (
            convolutional,
            {"parameters": ["head.wieght"]},
            "no parameter 'head.wieght'.*did you mean 'head.weight'",
        ),
        (convolutional, {"parameters": []}, "no parameter to differentiate by"),
        (_BySign, {}, "cannot be differentiated example by example"),
        (_broken, {}, "gradients hold NaN or infinity"),
    ],
)
def test_misuse_is_named(make, options, message):
    with pytest.raises(InputError, match=message):
        trace_kernel(make(), images(2), **options)


@pytest.mark.parametrize("inputs", [torch.zeros(0, 3, 8, 8), torch.zeros(3), [[1.0]]])
def test_inputs_must_be_a_batch(inputs):
    with pytest.raises(InputError, match=r"inputs must be a tensor \(examples, ...\)"):
        trace_kernel(convolutional(), inputs)


_PEAK = """
import pathlib, sys, torch
from carryover.models.backbones import cifar_resnet20
from carryover.models.ntk import trace_kernel
torch.set_num_threads(1)
network = cifar_resnet20()

def peak():
    # Not getrusage's: that one starts at the peak of the process it was started from.
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])

trace_kernel(network, torch.randn(2, 3, 32, 32))
before = peak()
for budget in map(int, sys.argv[1:]):
    trace_kernel(network, torch.randn(32, 3, 32, 32), memory_budget=budget)
    print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="this system does not report peaks that way"
)
def test_memory_stays_inside_the_budget():
    """The peak of a process's memory, measured by the system, beyond that of a kernel of two images."""
    budgets = (1 << 26, 1 << 28)
    command = [sys.executable, "-W", "ignore", "-c", _PEAK, *map(str, budgets)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    used = [int(line) for line in printed.split()]
    assert used[0] <= budgets[0] and used[1] <= budgets[1]
    assert used[1] > budgets[1] // 4
