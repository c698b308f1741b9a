"""What is measured about plans beside their results, and at what cost: forecasts before, learning regimes after."""

from dataclasses import dataclass
from typing import Literal

from carryover._core.errors import InputError
from carryover.measures.kernel_change import LEAST_EXAMPLES
from carryover.models.ntk import DEFAULT_BUDGET

_MIB = 1 << 20


@dataclass(frozen=True)
class ForecastSpec:
    """[forecast]: whether plans are forecast before they run, and at what cost.

    ``heads``: random outputs that gradients are taken of; ``most_labels``: beyond these training labels the tangent
    probe takes that many of them (its forecast is then for fewer labels, and says so); ``pilot``: the share of the
    plan's steps that is run first to see whether the kernel moves; ``memory_mib`` for kernels, None: 1 GiB.
    """

    make: bool = True
    heads: int = 4
    most_labels: int = 256
    pilot: float = 0.1
    memory_mib: int | None = None

    def __post_init__(self) -> None:
        if self.heads < 1 or self.most_labels < LEAST_EXAMPLES:
            raise InputError(
                f"forecast.heads must be >= 1 and most_labels >= {LEAST_EXAMPLES}, got {self.heads} and "
                f"{self.most_labels}"
            )
        if not 0.0 < self.pilot <= 1.0:
            raise InputError(f"forecast.pilot must lie in (0, 1], got {self.pilot:g}")
        _check_memory("forecast", self.memory_mib)

    @property
    def memory_budget(self) -> int:
        """Bytes."""
        return _bytes(self.memory_mib)


@dataclass(frozen=True)
class RegimeSpec:
    """[regime]: whose regime is measured, and how well.

    ``plans``: "winner", "all" or "none"; a plan costs about four more runs of it (linearised, other batches, without
    pretraining) and two kernels.  ``examples``: of the test examples, those that kernels are taken on.
    ``memory_mib``: what kernels may hold beside the network; None: 1 GiB, and where that is too small the regime
    abstains instead of stopping the run.
    """

    plans: Literal["winner", "all", "none"] = "winner"
    examples: int = 64
    memory_mib: int | None = None

    def __post_init__(self) -> None:
        if self.plans not in ("winner", "all", "none"):
            raise InputError(f"regime.plans must be 'winner', 'all' or 'none', got {self.plans!r}")
        if self.examples < LEAST_EXAMPLES:
            raise InputError(f"regime.examples must be >= {LEAST_EXAMPLES}, got {self.examples}")
        _check_memory("regime", self.memory_mib)

    @property
    def memory_budget(self) -> int:
        """Bytes."""
        return _bytes(self.memory_mib)


def _bytes(mib: int | None) -> int:
    return DEFAULT_BUDGET if mib is None else mib * _MIB


def _check_memory(table: str, mib: int | None) -> None:
    if mib is not None and mib < 1:
        raise InputError(f"{table}.memory_mib must be >= 1, got {mib}")
