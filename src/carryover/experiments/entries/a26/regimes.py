"""Figure 2 of A26: order and pretraining dependence as each of the three scales moves, and the four regimes."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from carryover.experiments.comparisons import Comparison, Published, compare_order, compare_value, exactly
from carryover.experiments.compute import Compute
from carryover.experiments.diagonal_networks import EXAMPLES, regime_points
from carryover.experiments.entries.a26.values import A26, TYPICAL_SOURCE
from carryover.experiments.entry import Cost, Entry, Part, Size
from carryover.experiments.inputs import Inputs
from carryover.experiments.rows import Row
from carryover.experiments.theory_cells import TheoryCell, labelled_cell, predict_many, predict_one
from carryover.theory import Network, Task
from carryover.theory.regimes import DEPENDENT_FROM, RICH_BELOW

if TYPE_CHECKING:
    import pandas as pd

NAMED = "named"
"""The knob of the four networks that the paper's regimes are illustrated with."""
_ALPHA = 0.3
_SLACK = 1e-9
_COLUMNS = (
    "knob", "network", "scale", "relative_scale", "readout", "order", "pretraining_dependence", "regime",
    "alpha", "generalization_error", "status", "reason",
)  # fmt: skip


def _parts(every: int, _: Inputs) -> tuple[Part, ...]:
    """The four networks, and of the map's points the first of every ``every``."""
    points = [(NAMED, name, network) for name, network in EXAMPLES.items()]
    points += [(knob, None, Network(*scales)) for knob, *scales in regime_points()[::every]]
    cells = tuple(
        labelled_cell(
            TheoryCell(_ALPHA, Task(), network),
            {
                "knob": knob,
                "network": name,
                "scale": float(network.scale),
                "relative_scale": float(network.relative_scale),
                "readout": float(network.readout),
            },
        )
        for knob, name, network in points
    )
    return (Part(cells, Compute(predict_one, predict_many)),)


def _table(rows: Sequence[Row]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame([{**row, "alpha": _ALPHA} for row in rows]).reindex(columns=list(_COLUMNS))


def compare_regimes(table: "pd.DataFrame") -> tuple[Comparison, ...]:
    named = table[table["knob"] == NAMED].set_index("network")
    found = [_in_its_regime(name, named.loc[name]) for name in EXAMPLES]
    first = next(iter(EXAMPLES))
    typical = Published(TYPICAL_SOURCE, -0.07, uncertainty=0.005)
    found.append(
        compare_value(
            f"pretraining dependence of {first}",
            typical,
            exactly(float(named.loc[first, "pretraining_dependence"])),
            matters=0.005,
        )
    )
    return (*found, *_in_range(table))


def _in_its_regime(name: str, row: "pd.Series") -> Comparison:
    """How far inside its quadrant the network lies, at the nearer border."""
    rich, dependent = "rich" in name, ": rich, dependent" in name or ": lazy, dependent" in name
    by_order = (RICH_BELOW - row["order"]) * (1.0 if rich else -1.0)
    by_dependence = (abs(row["pretraining_dependence"]) - DEPENDENT_FROM) * (1.0 if dependent else -1.0)
    claim = (
        f"it is {name.split(': ')[1]}: inside order {RICH_BELOW:g} and |PD| {DEPENDENT_FROM:g} (borders ours)"
    )
    published = Published(f"{A26}, the four regimes", claim=claim)
    return compare_order(
        f"network of regime {name}: margin to the nearer border",
        published,
        exactly(float(np.min([by_order, by_dependence]))),
    )


def _in_range(table: "pd.DataFrame") -> list[Comparison]:
    """Proposition 4.2's ranges, over every point of the map that was computed."""
    table = table[table["status"] == "ok"]
    order, dependence = (table[name].astype(float) for name in ("order", "pretraining_dependence"))
    ranges = {
        "order l in [1, 2]": (order, 1.0, 2.0),
        "pretraining dependence PD in [-1, 0]": (dependence, -1.0, 0.0),
        "l + PD in [1, 2]": (order + dependence, 1.0, 2.0),
    }
    published = Published(f"{A26}, Proposition 4.2", 0.0)
    return [
        compare_value(
            f"{said}: the furthest that any of {len(table)} points lies outside",
            published,
            exactly(float(np.max([0.0, low - values.min(), values.max() - high]))),
            matters=_SLACK,
        )
        for said, (values, low, high) in ranges.items()
    ]


A26_FIGURE2 = Entry(
    name="a26_figure2",
    description="Regime map of diagonal networks: order and pretraining dependence over the three initial scales.",
    sizes={
        "smoke": Size(partial(_parts, 8), Cost(4.0)),
        "small": Size(partial(_parts, 1), Cost(5.0)),
        "full": Size(partial(_parts, 1), Cost(5.0)),
    },
    table=_table,
    compare=compare_regimes,
)
