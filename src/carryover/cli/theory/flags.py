"""Flags that describe a task and a network, shared by the subcommands of ``carryover theory``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from carryover.theory import FineTuning, Network, Task


@dataclass(frozen=True)
class TaskFlags:
    """The task: which coordinates carry coefficients."""

    rho_pretraining: float = 0.1
    """Share of coordinates with a pretraining coefficient."""
    rho_finetuning: float = 0.1
    """Share of coordinates with a fine-tuning coefficient."""
    overlap: float = 1.0
    """Share of those that lie inside pretraining's support."""
    label_noise_std: float = 0.0
    """Standard deviation of the noise in fine-tuning's labels."""
    teacher: Literal["gaussian", "fixed"] = "gaussian"
    """Fine-tuning coefficients: N(0, 1/rho) or all rho^(-1/2)."""
    amplitude: float = 1.0
    """Size of the pretraining coefficients."""

    def task(self) -> "Task":
        from carryover.theory import Task

        return Task(
            self.rho_pretraining,
            self.rho_finetuning,
            overlap=self.overlap,
            label_noise_std=self.label_noise_std,
            teacher=self.teacher,
            amplitude=self.amplitude,
        )


@dataclass(frozen=True)
class NetworkFlags:
    """The network: its initialisation scales."""

    scale: float = 1e-3
    """Scale c = w^2 + v^2 of pretraining's start."""
    relative_scale: float = 0.0
    """(w^2 - v^2) / c in [-1, 1]; negative: a smaller first layer."""
    gamma: float = 0.0
    """Readout that fine-tuning starts with."""
    protocol: Literal["symmetrized", "kept"] = "symmetrized"
    """First layer at the start of fine-tuning: w+ = w- = their sum, or as pretraining left it."""
    ridge_strength: float = 0.0
    """Strength t of an explicit ridge on the potential; 0: the interpolator."""
    pretraining_alpha: float = float("inf")
    """Samples per dimension that pretraining saw."""

    def network(self) -> "Network":
        from carryover.theory import Network

        return Network(self.scale, self.relative_scale, self.gamma, self.protocol)

    def model(self, task: "Task") -> "FineTuning":
        from carryover.theory import FineTuning

        return FineTuning(task, self.network(), self.ridge_strength, self.pretraining_alpha)
