"""Learning rates as functions of the step."""

import math
from dataclasses import dataclass

from carryover._core.errors import InputError


@dataclass(frozen=True)
class WarmupCosine:
    """Linear up to ``peak`` at step ``warmup`` - 1, then half a cosine down to ``final`` at the last step.

    Steps count from 0.  Loshchilov and Hutter, ICLR 2017 (without restarts).

    >>> rates = WarmupCosine(peak=1.0, steps=6, warmup=2)
    >>> [round(rates(step), 3) for step in range(6)]
    [0.5, 1.0, 0.854, 0.5, 0.146, 0.0]
    """

    peak: float
    steps: int
    warmup: int = 0
    final: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 < self.peak < math.inf or not 0.0 <= self.final <= self.peak:
            raise InputError(
                f"learning rates must be finite, peak > 0 and final in [0, peak], got {self.peak:g} and {self.final:g}"
            )
        if self.steps < 1 or not 0 <= self.warmup <= self.steps:
            raise InputError(
                f"steps must be >= 1 and warmup in [0, steps], got {self.steps} and {self.warmup}"
            )

    def __call__(self, step: int) -> float:
        if step < self.warmup:
            return self.peak * (step + 1) / self.warmup
        left = self.steps - max(self.warmup, 1)
        done = min(1.0, (step - max(self.warmup, 1) + 1) / left) if left > 0 else 1.0
        return self.final + (self.peak - self.final) * 0.5 * (1.0 + math.cos(math.pi * done))
