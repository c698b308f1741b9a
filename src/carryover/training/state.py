"""What a run carries from step to step: weights, the optimizer's state, a moving average; stored and taken up again."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from carryover._core.errors import InputError
from carryover.training.averaging import MovingAverage
from carryover.training.checkpoint import Checkpoint, checkpoint_folders, load_checkpoint, save_checkpoint
from carryover.training.optimizers import optimizer_tensors, restore_optimizer
from carryover.training.processes import Processes
from carryover.training.sharding import all_finite, gathered

CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class TrainingState:
    """``average`` is None where none is kept.  Every process calls every method; the first one writes.

    ``notes``: sentences about what was not the same all along; they stay with the run.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    average: MovingAverage | None
    processes: Processes
    notes: tuple[str, ...] = ()

    def restore(self, stored: Checkpoint) -> None:
        """The optimizer's state and the average; the weights are loaded before the network is shared."""
        restore_optimizer(self.optimizer, self.network, stored.optimizer)
        if self.average is not None:
            self.average.restore(stored.average)

    def save(self, folder: Path | None, *, step: int, run_id: str) -> None:
        """Write the checkpoint of ``step`` finished steps; nothing without a folder."""
        if folder is None:
            return
        keep = self.processes.first
        parts = (
            self.network.state_dict(),
            optimizer_tensors(self.optimizer, self.network),
            {} if self.average is None else self.average.tensors,
        )
        weights, optimizer, average = (gathered(tensors, keep=keep) for tensors in parts)
        extra = {**_resources(self.processes), "notes": list(self.notes)}
        if keep:
            save_checkpoint(
                folder / CHECKPOINTS, Checkpoint(step, run_id, weights, optimizer, extra, average)
            )
        self.processes.wait()  # so that whoever goes on finds it

    def is_finite(self) -> bool:
        """Whether no weight of any process is NaN or infinite."""
        return not self.processes.any(not all_finite(self.network.state_dict().values()))

    def final_weights(self) -> dict[str, Tensor]:
        """The average, or the weights where there is none, whole; {} in every process but the first."""
        tensors = self.network.state_dict() if self.average is None else self.average.tensors
        return gathered(tensors, keep=self.processes.first)


def load_weights(network: nn.Module, stored: Checkpoint) -> None:
    """Put a checkpoint's weights into ``network``; InputError where they are another network's."""
    try:
        network.load_state_dict(stored.weights)
    except RuntimeError as error:
        raise InputError(
            f"the weights of the checkpoint of step {stored.step} do not fit the network that the config describes, "
            f"as after a change of carryover's version: name another folder ({error})"
        ) from error


def notes_on_resuming(stored: Checkpoint, processes: Processes) -> tuple[str, ...]:
    """The notes a checkpoint carries, and one more where its threads or processes were others than now."""
    now = _resources(processes)
    changed = [
        f"{stored.extra.get(name)} {name} until step {stored.step} and {count} after it"
        for name, count in now.items()
        if stored.extra.get(name) != count
    ]
    notes = tuple(stored.extra.get("notes", ()))
    if not changed:
        return notes
    return (*notes, f"This run had {', '.join(changed)}: its last digits may not be an undisturbed run's.")


def _resources(processes: Processes) -> dict[str, int]:
    return {"threads": torch.get_num_threads(), "processes": processes.count}


def last_checkpoint(folder: Path | None, run_id: str) -> Checkpoint | None:
    """The newest one of a run's folder, None without; InputError where it belongs to another run."""
    found = [] if folder is None else checkpoint_folders(folder / CHECKPOINTS)
    if not found:
        return None
    stored = load_checkpoint(found[-1])
    if stored.run_id != run_id:
        raise InputError(
            f"{found[-1]} belongs to another run (id {stored.run_id[:12]}, this is {run_id[:12]}): "
            "choose another folder, or remove it"
        )
    return stored
