"""The empirical tangent kernel of a network on a batch: inner products of its gradients by the weights.

With J_k(x) = d f_k(x) / d theta for output k of K,

    full form    Theta[(i, k), (j, l)] = <J_k(x_i), J_l(x_j)>              (n K, n K), example by example
    trace form   Theta[i, j] = (1 / K) sum_k <J_k(x_i), J_k(x_j)>          (n, n)

so an entry of the trace form is the mean of the diagonal of the full form's block.  (The kernel of the summed
outputs, which some papers use in its place, is another one.)  Gradients are taken at the network's weights in
evaluation mode: batch norm has its stored statistics.  The whole Jacobian, n K P numbers, is never held: see
:mod:`carryover.models.ntk_plan`.  Reference: Jacot, Gabriel and Hongler, NeurIPS 2018.
"""

import itertools
import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from carryover._core.errors import InputError
from carryover.models.example_gradients import bytes_kept, example_gradients
from carryover.models.frozen import detached, frozen, weight_names
from carryover.models.ntk_plan import KernelSize, StreamPlan, stream_plan

DEFAULT_BUDGET = 1 << 30
"""Bytes: 1 GiB."""

_COLUMNS = 1 << 16  # of a product in the weights' precision, before it is added up in float64
_ROW_BLOCKS = 4  # of the kernel: what lies above the diagonal's blocks is mirrored, not computed


def trace_kernel(
    network: nn.Module,
    inputs: Tensor,
    *,
    memory_budget: int = DEFAULT_BUDGET,
    parameters: Iterable[str] | None = None,
) -> np.ndarray:
    """The trace form (n, n), float64 and symmetric: the *mean* over the K outputs of <J_k(x_i), J_k(x_j)>.

    ``inputs`` (n, ...) are what the network takes, already preprocessed; gradients have the weights' precision, and
    sums over slices of weights are in float64.  ``memory_budget``: bytes that may be held beside the network and
    the inputs.  ``parameters``: names of those that gradients are taken by (default: all).
    Raises InputError where the budget is too small (with what is needed), for names that the network lacks, inputs
    that are not a batch, outputs that are not (n, K), gradients that are not finite, and networks that torch
    cannot differentiate example by example.

    >>> line = nn.Linear(2, 1, bias=False)  # f(x) = w x: the kernel is x_i x_j
    >>> trace_kernel(line, torch.tensor([[1.0, 2.0], [3.0, 0.0]]))
    array([[5., 3.],
           [3., 9.]])
    """
    with frozen(network):
        size = _measure(network, inputs, parameters, full=False)
        kernel = _streamed(network, inputs, size, stream_plan(size, memory_budget))
    return kernel / size.n_outputs


def full_kernel(
    network: nn.Module,
    inputs: Tensor,
    *,
    memory_budget: int = DEFAULT_BUDGET,
    parameters: Iterable[str] | None = None,
) -> np.ndarray:
    """The full form (n K, n K), float64 and symmetric: row i K + k belongs to output k of example i.

    Arguments and errors as :func:`trace_kernel`.

    >>> full_kernel(nn.Linear(1, 2, bias=False), torch.tensor([[3.0]]))
    array([[9., 0.],
           [0., 9.]])
    """
    with frozen(network):
        size = _measure(network, inputs, parameters, full=True)
        return _streamed(network, inputs, size, stream_plan(size, memory_budget))


def check_memory(
    network: nn.Module,
    inputs: Tensor,
    *,
    memory_budget: int,
    parameters: Iterable[str] | None = None,
) -> None:
    """Raise what :func:`trace_kernel` would raise for a budget that is too small, after one pass of one example."""
    with frozen(network):
        stream_plan(_measure(network, inputs, parameters, full=False), memory_budget)


def _measure(
    network: nn.Module, inputs: Tensor, parameters: Iterable[str] | None, *, full: bool
) -> KernelSize:
    """The sizes that a plan needs, by one pass of one example."""
    if not isinstance(inputs, Tensor) or inputs.ndim < 2 or len(inputs) == 0:
        found = f"shape {tuple(inputs.shape)}" if isinstance(inputs, Tensor) else f"a {type(inputs).__name__}"
        raise InputError(f"inputs must be a tensor (examples, ...) with at least one example, got {found}")
    names, weights = weight_names(network, parameters), detached(network)
    n_outputs, kept = bytes_kept(network, inputs[:1], names)
    return KernelSize(
        n_examples=len(inputs),
        n_outputs=n_outputs,
        weights={name: weights[name].numel() for name in names},
        kept_bytes=kept,
        item_bytes=weights[names[0]].element_size(),
        full=full,
    )


def _streamed(network: nn.Module, inputs: Tensor, size: KernelSize, plan: StreamPlan) -> np.ndarray:
    """The sum of J J^T over slices of the weights and groups of outputs."""
    side = size.n_examples * (size.n_outputs if size.full else 1)
    kernel = torch.zeros(side, side, dtype=torch.float64, device=inputs.device)
    like = next(network.parameters()).detach()
    basis = torch.eye(size.n_outputs, dtype=like.dtype, device=like.device)
    widths = [sum(size.weights[name] for name in names) for names in plan.slices]
    room = like.new_empty(size.n_examples * plan.outputs_together * max(widths))
    for names, width in zip(plan.slices, widths, strict=True):
        for directions in basis.split(plan.outputs_together):
            shape = (size.n_examples, len(directions), width)
            rows = room[: math.prod(shape)].view(shape)
            for start in range(0, size.n_examples, plan.chunk):
                part = slice(start, start + plan.chunk)
                found = example_gradients(network, inputs[part], names=names, directions=directions)
                torch.cat([found[name].flatten(2) for name in names], dim=2, out=rows[part])
                del found
            _add_product(kernel, rows.view(side, -1))
    return _mirrored(kernel)


def _add_product(kernel: Tensor, rows: Tensor) -> None:
    """kernel += rows rows^T on and below the diagonal, a block of columns at a time in float64."""
    edges = torch.linspace(0, len(rows), min(_ROW_BLOCKS, len(rows)) + 1).long().tolist()
    for columns in rows.split(_COLUMNS, dim=1):
        for start, stop in itertools.pairwise(edges):
            kernel[start:stop, :stop] += columns[start:stop] @ columns[:stop].T


def _mirrored(kernel: Tensor) -> np.ndarray:
    if not bool(torch.isfinite(kernel).all()):
        raise InputError("the network's gradients hold NaN or infinity: look at its weights and the inputs")
    lower = np.tril(kernel.cpu().numpy())
    lower += np.tril(lower, -1).T
    return lower
