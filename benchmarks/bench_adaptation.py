"""A fine-tuning step beside a bare loop's, and what the L2-SP penalty and the ball's projection add to it.

One thread, in seconds of this process's processor time: other work on the machine does not count.  What a constraint
adds is a few ms a step; whether the C library gives the memory of a pass back to the system after it, and asks for it
anew, is worth more and hangs on a few blocks' places.  So constraints are measured with and without that.
"""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from functools import partial
from time import process_time

import torch
from harness import Row, interleaved
from torch import Tensor, nn
from torch.nn import functional

from carryover.adaptation.network import AdaptedNetwork
from carryover.adaptation.phases import Budget, Examples, run_phase
from carryover.adaptation.plans import Phase
from carryover.models.backbones import cifar_resnet20
from carryover.models.loading import ModelSource, load_model

N, STEPS, REPEATS = 512, 12, 9
SHORT, PAIRS = 4, 25  # a few per cent show in many short pairs, which share whatever else the machine does
RATE, CLIP, RADIUS = 1e-3, 1.0, 0.05  # the radius is so small that every step is projected
SOURCE = ModelSource("ResNet-20", factory="carryover.models.backbones:cifar_resnet20")
CONSTRAINTS = {
    "the L2-SP penalty": {"l2_sp": 0.1},
    "the ball's projection, all layers together": {"radius": RADIUS},
    "the ball's projection, layer by layer": {"radius": RADIUS, "by_layer": True},
}


def _examples() -> Examples:
    generator = torch.Generator().manual_seed(0)
    return Examples(torch.randn(N, 3, 32, 32, generator=generator), torch.arange(N) % 10)


def _ours(network: AdaptedNetwork, phase: Phase, data: Examples, *, budget: Budget) -> None:
    """A phase of a plan from its start to its end."""
    run_phase(network, phase, data, budget=budget)


def _budget(steps: int, batch: int) -> Budget:
    return Budget(steps, batch, warmup=0.0, clip_norm=CLIP)


def _bare(network: nn.Module, images: Tensor, labels: Tensor) -> None:
    """Forward, cross-entropy, backward, clip and AdamW on one batch that lies ready, from a new optimizer on."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.0)
    for _ in range(STEPS):
        optimizer.zero_grad()
        functional.cross_entropy(network(images), labels).backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()


def _adapted() -> AdaptedNetwork:
    return AdaptedNetwork(load_model(SOURCE), width=64, n_outputs=10)


def _beside_the_bare_loop(data: Examples, batch: int) -> Row:
    """Both with the pretrained statistics in their batch norms, as plans have them unless they say otherwise."""
    bare, ours, ratio = interleaved(
        partial(_bare, cifar_resnet20().eval(), data.images[:batch], data.targets[:batch]),
        partial(
            _ours, _adapted(), Phase("fine-tune", learning_rate=RATE), data, budget=_budget(STEPS, batch)
        ),
        REPEATS,
        process_time,
    )
    rates = [STEPS * batch / taken for taken in (ours, bare)]
    return Row(
        f"fine-tuning step / bare forward, cross-entropy, backward, clip and AdamW on a resident batch, ResNet-20, "
        f"{batch} images 32x32",
        round(ratio, 3),
        "x throughput",
        ">= .95",
        ratio >= 0.95,
        f"{rates[0]:.0f} and {rates[1]:.0f} images a processor second",
    )


def _with_a_constraint(data: Examples, batch: int, what: str) -> Row:
    plain, held = (Phase("fine-tune", learning_rate=RATE, **given) for given in ({}, CONSTRAINTS[what]))
    budget = _budget(SHORT, batch)
    ours, without, ratio = interleaved(
        partial(_ours, _adapted(), held, data, budget=budget),
        partial(_ours, _adapted(), plain, data, budget=budget),
        PAIRS,
        process_time,
    )
    return Row(
        f"fine-tuning step with {what} / step without, ResNet-20, {batch} images",
        round(ratio, 3),
        "x time",
        "<= 1.03",
        ratio <= 1.03,
        f"{1e3 * ours / SHORT:.1f} and {1e3 * without / SHORT:.1f} ms",
    )


def _constraint_rows(batch: int = 32) -> Iterable[Row]:
    data = _examples()
    for what in CONSTRAINTS:
        yield _with_a_constraint(data, batch, what)


_KEPT = {"MALLOC_TRIM_THRESHOLD_": "4000000000", "MALLOC_MMAP_THRESHOLD_": "4000000000"}
_CHILD = """
import dataclasses, json, sys, torch
sys.path.insert(0, {folder!r})
from bench_adaptation import _constraint_rows
torch.set_num_threads(1)
print(json.dumps([dataclasses.asdict(row) for row in _constraint_rows()]))
"""


def _where_memory_is_kept() -> Iterable[Row]:
    """The constraints' rows from a process whose C library keeps its memory between steps."""
    code = _CHILD.format(folder=__file__.rpartition("/")[0])
    command = [sys.executable, "-W", "ignore", "-c", code]
    found = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **_KEPT})
    for row in json.loads(found.stdout):
        row = Row(**row)
        yield dataclasses.replace(row, work=f"{row.work}, memory kept between steps")


def rows() -> Iterable[Row]:
    """The table's rows on adaptation, one thread each."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for batch in (32, 64):
            yield _beside_the_bare_loop(_examples(), batch)
        yield from _constraint_rows()
    finally:
        torch.set_num_threads(threads)
    yield from _where_memory_is_kept()
