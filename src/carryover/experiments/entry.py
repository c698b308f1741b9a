"""What an entry of the catalogue is: cells of three sizes, and how their rows become a table and comparisons."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from carryover._core.errors import InputError, did_you_mean
from carryover.experiments.comparisons import Comparison
from carryover.experiments.compute import Cell, Compute
from carryover.experiments.inputs import Inputs
from carryover.experiments.rows import Row

if TYPE_CHECKING:
    import pandas as pd

SizeName = Literal["smoke", "small", "full"]
SIZES: tuple[SizeName, ...] = ("smoke", "small", "full")
REPORTED, CHOOSING = "reported", "choosing"
"""What a seed is for, where a sweep has cells of both: the value of the label "role"."""


@dataclass(frozen=True)
class Cost:
    """Seconds of one core for the whole command; ``measured`` false: worked out from the pace of a smaller size."""

    seconds: float
    measured: bool = True


@dataclass(frozen=True)
class Part:
    """Cells that are computed alike.  A cell's ``parameters`` are its labels in the table.

    Two cells of one id are computed once, and each has its row.
    """

    cells: tuple[Cell, ...]
    compute: Compute


@dataclass(frozen=True)
class Size:
    """``parts`` builds the cells from where the data is; ``seeds`` are those that are reported."""

    parts: Callable[[Inputs], tuple[Part, ...]]
    cost: Cost
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True)
class Entry:
    """A named experiment.

    - ``table``: a tidy table from the rows, each with its labels, in the order of the cells
    - ``compare``: what is published beside that table
    - ``chosen``: what was chosen by looking at results, on the seeds ``chosen_on``, none of which is reported

    Raises InputError where a size is missing, and where a reported seed was used to choose.
    """

    name: str
    description: str
    sizes: Mapping[SizeName, Size]
    table: Callable[[Sequence[Row]], "pd.DataFrame"]
    compare: Callable[["pd.DataFrame"], tuple[Comparison, ...]]
    chosen: str = "Nothing was chosen by looking at results."
    chosen_on: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if set(self.sizes) != set(SIZES):
            raise InputError(
                f"{self.name} must have the sizes {', '.join(SIZES)}, got {', '.join(self.sizes)}"
            )
        for name, size in self.sizes.items():
            both = sorted(set(size.seeds) & set(self.chosen_on))
            if both:
                raise InputError(
                    f"{self.name}, {name}: seeds {both} are reported, but settings were chosen on them; take others"
                )

    def size(self, name: str) -> Size:
        """The size of that name; InputError where there is none."""
        if name not in self.sizes:
            raise InputError(f"no size is called {name!r}; {did_you_mean(name, SIZES)}")
        return self.sizes[name]
