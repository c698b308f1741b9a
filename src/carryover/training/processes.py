"""The processes that train one network together: which one this is, and what they exchange, with gradients.

Gradients are those of the mean over processes of what each of them differentiates, as DDP and FSDP take it: a loss of
the whole batch, computed alike by every process, has its own gradient.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, distributed
from torch.autograd.function import once_differentiable

from carryover._core.errors import InputError

_SIZES = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")


@dataclass(frozen=True)
class Processes:
    """``rank`` is this process's number, 0 to ``count`` - 1, and ``device`` where it computes.

    A single process exchanges nothing: every method gives back what it got.
    """

    rank: int = 0
    count: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files."""
        return self.rank == 0

    def share(self, batch: Tensor) -> Tensor:
        """This process's part of a batch: the processes' parts have one size and follow each other.

        >>> Processes(rank=1, count=2).share(torch.arange(6))
        tensor([3, 4, 5])
        """
        return batch if self.count == 1 else batch.chunk(self.count)[self.rank]

    def check_divides(self, name: str, size: int | None) -> None:
        """InputError where ``size`` examples cannot be shared alike."""
        if size is not None and size % self.count:
            raise InputError(
                f"{name} must be a multiple of the number of processes, {self.count}, that share it, got {size}"
            )

    def rows(self, part: Tensor) -> Tensor:
        """Every process's rows (b, ...), one below the other: (count b, ...); differentiable."""
        return part if self.count == 1 else _Gather.apply(part, self)

    def total(self, value: Tensor) -> Tensor:
        """The sum over processes; differentiable."""
        return value if self.count == 1 else _Total.apply(value)

    def mean(self, value: Tensor) -> Tensor:
        """The mean over processes; differentiable."""
        return value if self.count == 1 else self.total(value) / self.count

    def any(self, flag: bool) -> bool:
        """Whether one process at least says yes."""
        if self.count == 1:
            return flag
        return bool(self.total(torch.tensor(float(flag), device=self.device)) > 0)

    @contextmanager
    def first_goes_first(self) -> Iterator[None]:
        """What is inside runs in the first process, then in the others, also where it fails in the first."""
        if not self.first:
            self.wait()
        try:
            yield
        finally:
            if self.first:
                self.wait()

    def wait(self) -> None:
        """Go on when every process is here."""
        self.any(False)


ALONE = Processes()


def launched(device: str = "cpu") -> Processes:
    """The processes that ``torchrun`` or ``accelerate launch`` started, which wait for each other the first time.

    Alone it computes on ``device``; of several processes each takes a GPU of its own, or the CPU for "cpu".
    Raises InputError for a device that is not there.
    """
    _check_device(device)
    if "LOCAL_RANK" not in os.environ and all(os.environ.get(name, "1") == "1" for name in _SIZES):
        return Processes(device=torch.device(device))
    from accelerate import PartialState

    state = PartialState(cpu=torch.device(device).type == "cpu")
    return Processes(state.process_index, state.num_processes, state.device)


def _check_device(device: str) -> None:
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"device {device!r} cannot be used ({reason}): give cpu, cuda or cuda:0, ..."
        ) from error


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(_, value: Tensor) -> Tensor:
        return _summed(value)

    @staticmethod
    @once_differentiable
    def backward(_, gradient: Tensor) -> Tensor:
        return _summed(gradient)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(context, part: Tensor, processes: Processes) -> Tensor:
        context.processes = processes
        parts = [
            torch.empty_like(part, memory_format=torch.contiguous_format) for _ in range(processes.count)
        ]
        distributed.all_gather(parts, part.contiguous())
        return torch.cat(parts)

    @staticmethod
    @once_differentiable
    def backward(context, gradient: Tensor) -> tuple[Tensor, None]:
        return context.processes.share(_summed(gradient)), None


def _summed(value: Tensor) -> Tensor:
    value = value.clone(memory_format=torch.contiguous_format)
    distributed.all_reduce(value)
    return value
