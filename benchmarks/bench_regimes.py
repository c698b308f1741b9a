"""Tangent kernels beside the plain product of Jacobians, their peak memory, and steps of the linearised network.

One thread, in seconds of this process's processor time: other work on the machine does not count.  Peaks of memory are
those that the system reports of a process of its own.
"""

import gc
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import partial
from time import process_time

import numpy as np
import torch
from harness import Row, interleaved, seconds
from torch import Tensor, nn
from torch.func import jacrev, vmap
from torch.nn import functional

from carryover.measures.kernel_ridge import fit_kernel_ridge_path
from carryover.models.backbones import cifar_resnet20
from carryover.models.frozen import detached, frozen, outputs
from carryover.models.linearized import LinearizedNetwork
from carryover.models.ntk import trace_kernel
from carryover.models.seeding import seeded_torch

N, BATCH, REPEATS = 256, 64, 3
CHUNKS = (2, 4, 8, 16)
RESNET_BUDGET, VIT_BUDGET = 3 << 29, 3 << 30
VIT_N = 16  # examples whose whole Jacobian (3.4 GB) can be held beside others' work


def vit_tiny() -> nn.Module:
    """transformers' ViT: 192 wide, 12 deep, 3 heads, patches of 4 on 32x32 images, 10 classes."""
    from transformers import ViTConfig, ViTForImageClassification

    with seeded_torch(0):
        return ViTForImageClassification(
            ViTConfig(
                hidden_size=192, num_hidden_layers=12, num_attention_heads=3, intermediate_size=768,
                image_size=32, patch_size=4, num_labels=10,
            )
        )  # fmt: skip


NETWORKS: dict[str, Callable[[], nn.Module]] = {"ResNet-20": cifar_resnet20, "ViT-Tiny": vit_tiny}


def _images(n: int) -> Tensor:
    return torch.randn(n, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def _plain_kernel(network: nn.Module, inputs: Tensor, chunk: int) -> np.ndarray:
    """All Jacobian rows by vmap, ``chunk`` examples at a time, then one matrix product: the trace form."""
    weights = detached(network)
    of_example = vmap(jacrev(lambda some, x: outputs(network, some, x[None])[0]), in_dims=(None, 0))
    rows, width = None, sum(weight.numel() for weight in weights.values())
    with frozen(network):
        for start in range(0, len(inputs), chunk):
            found = list(of_example(weights, inputs[start : start + chunk]).values())
            if rows is None:
                rows = found[0].new_empty(len(inputs), found[0].shape[1], width)
            torch.cat([part.flatten(2) for part in found], dim=2, out=rows[start : start + chunk])
    n_outputs, rows = rows.shape[1], rows.flatten(1)
    return (rows @ rows.T / n_outputs).numpy()


def _best_chunk(network: nn.Module, n: int) -> int:
    """The chunk with the least time on a few images, each tried twice."""
    tried = {
        chunk: min(
            seconds(partial(_plain_kernel, network, _images(n), chunk), process_time) for _ in range(2)
        )
        for chunk in CHUNKS
    }
    return min(tried, key=tried.get)


def _kernel_row(name: str, n: int, budget: int, target: float | None) -> Row:
    network, inputs = NETWORKS[name](), _images(n)
    chunk = _best_chunk(network, min(n, 16))
    ours, plain, ratio = interleaved(
        lambda: trace_kernel(network, inputs, memory_budget=budget),
        lambda: _plain_kernel(network, inputs, chunk),
        REPEATS,
        process_time,
    )
    return Row(
        f"tangent kernel, trace form, {name}, {n} images 32x32 / Jacobian rows by vmap and one product",
        round(ratio, 3),
        "x time",
        "" if target is None else f"<= {target:g}",
        None if target is None else ratio <= target,
        f"{ours:.1f} and {plain:.1f} s, their best chunk {chunk}, our budget {budget / 2**30:g} GiB",
    )


_PEAK = """
import pathlib, sys, time
sys.path.insert(0, {folder!r})
import torch

def peak():
    # Not getrusage's: that one starts at the peak of the process it was started from.
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 2**20

from bench_regimes import NETWORKS, _images
from carryover.models.ntk import trace_kernel
torch.set_num_threads(1)
network = NETWORKS[{name!r}]()
before = peak()
start = time.process_time()
trace_kernel(network, _images({n}), memory_budget={budget})
print(peak(), before, time.process_time() - start)
"""


def _peak_row(name: str, budget: int, limit: float) -> Row:
    folder = __file__.rpartition("/")[0]
    code = _PEAK.format(folder=folder, name=name, n=N, budget=budget)
    command = [sys.executable, "-W", "ignore", "-c", code]
    peak, before, taken = map(
        float, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    )
    return Row(
        f"the same kernel of {N} images, {name}: peak memory of the whole process",
        round(peak, 2),
        "GiB",
        f"< {limit:g}",
        peak < limit,
        f"budget {budget / 2**30:g} GiB beside {before:.2f} GiB of libraries and weights; {taken:.0f} s",
    )


def _exactness_row(name: str) -> Row:
    """Against the Jacobian in double precision, where nothing is lost."""
    network, inputs = NETWORKS[name](), _images(4)
    found = trace_kernel(network, inputs)
    exact = _plain_kernel(network.double(), inputs.double(), 2)
    error = float(np.abs(found - exact).max() / np.abs(exact).max())
    work = (
        f"tangent kernel in single precision, {name}: largest error / largest entry, against double precision"
    )
    return Row(work, error, "", "<= 1e-5", error <= 1e-5)


def _step(network: nn.Module, images: Tensor, labels: Tensor, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    found = network(images)
    functional.cross_entropy(getattr(found, "logits", found), labels).backward()
    optimizer.step()


def _linearized_row(name: str, batch: int) -> Row:
    ordinary, linear = NETWORKS[name]().train(), LinearizedNetwork(NETWORKS[name]()).train()
    images, labels = _images(batch), torch.arange(batch) % 10
    steps = [
        partial(_step, network, images, labels, torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9))
        for network in (linear, ordinary)
    ]
    ours, theirs, ratio = interleaved(*steps, 9, process_time)
    return Row(
        f"training step of the linearised network / ordinary step, {name}, batch {batch}",
        round(ratio, 3),
        "x time",
        "<= 3",
        ratio <= 3.0,
        f"{1e3 * ours:.0f} and {1e3 * theirs:.0f} ms",
    )


def _kernel_ridge_row() -> Row:
    features = np.random.default_rng(0).normal(size=(500, 600))
    kernel, labels = features @ features.T, np.arange(500) % 10
    ours, plain, ratio = interleaved(
        lambda: fit_kernel_ridge_path(kernel, labels), lambda: np.linalg.eigh(kernel), 7, process_time
    )
    note = f"{1e3 * ours:.0f} and {1e3 * plain:.0f} ms"
    work = "leave-one-out of kernel ridge at 30 penalties, 500 examples, 10 classes / one eigendecomposition"
    return Row(work, round(ratio, 3), "x time", "", None, note)


def rows() -> Iterable[Row]:
    """The table's rows on learning regimes, one thread each."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for name in NETWORKS:
            yield _exactness_row(name)
        yield _linearized_row("ResNet-20", BATCH)
        yield _linearized_row("ViT-Tiny", BATCH // 4)
        yield _kernel_ridge_row()
        yield _kernel_row("ResNet-20", N, RESNET_BUDGET, 2.0)
        gc.collect()
        yield _peak_row("ResNet-20", RESNET_BUDGET, 2.0)
        yield _peak_row("ViT-Tiny", VIT_BUDGET, 4.0)
        yield _kernel_row("ViT-Tiny", VIT_N, 1 << 29, None)
    finally:
        torch.set_num_threads(threads)
