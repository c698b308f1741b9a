"""What a comparison of bounds is asked for beside the folder it reads."""

from dataclasses import dataclass, field

from carryover._core.checks import check_range
from carryover._core.errors import InputError
from carryover.diagnosis.options import RunOptions

FEWEST_MASKS = 6


@dataclass(frozen=True)
class BoundsOptions:
    """``confidence`` of every bound that has one; ``n_masks``: retrainings behind the bounds in expectation, None for
    30 or as many as the number of pairs needs.  ``run``: where features are kept, the device, progress.
    Raises InputError for a confidence outside (0, 1) and fewer than 6 masks.
    """

    confidence: float = 0.95
    n_masks: int | None = None
    run: RunOptions = field(default_factory=RunOptions)

    def __post_init__(self) -> None:
        check_range("confidence", self.confidence, 0, 1, open_low=True, open_high=True)
        if self.n_masks is not None and self.n_masks < FEWEST_MASKS:
            raise InputError(f"n_masks must be at least {FEWEST_MASKS}, got {self.n_masks}")
