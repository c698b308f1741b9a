"""``carryover theory regimes``: the regime map, and which initialisation wins where."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from carryover.cli.exit_codes import EXIT_DONE
from carryover.cli.theory.flags import TaskFlags
from carryover.cli.theory.output import OutputFolder, print_table


@dataclass(frozen=True)
class Regimes:
    """The map of order against pretraining dependence, and which initialisation wins over tasks and alpha."""

    out: Annotated[Path, tyro.conf.arg(metavar="DIR")] = Path("theory-regimes")
    """Folder for regime_map.png and .csv, winners.png and .csv."""
    alpha: tuple[float, ...] = (0.05, 0.2, 0.5)
    """Samples per dimension of the maps of winners."""
    task: tyro.conf.OmitArgPrefixes[TaskFlags] = field(default_factory=TaskFlags)
    cells: int = 40
    """Cells of the map of winners along each axis."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace files that are there."""

    def run(self) -> int:
        from carryover.experiments.diagonal_networks import EXAMPLES, regime_map, winner_map
        from carryover.reports.theory_figures import regime_figure, winner_figure

        files = OutputFolder(
            self.out, ("regime_map.png", "regime_map.csv", "winners.png", "winners.csv"), self.overwrite
        )
        table = regime_map(self.task.task())
        files.table("regime_map.csv", table)
        files.figure("regime_map.png", regime_figure(table))
        winners = winner_map(self.alpha, rho_pretraining=self.task.rho_pretraining, cells=self.cells)
        files.table("winners.csv", winners)
        files.figure("winners.png", winner_figure(winners, list(EXAMPLES)))
        shares = (
            winners.groupby(["alpha", "winner"])
            .size()
            .unstack(fill_value=0)
            .reindex(columns=list(EXAMPLES), fill_value=0)
        )
        print_table(
            ("alpha", *EXAMPLES),
            [
                (f"{alpha:g}", *(f"{100 * n / row.sum():.0f} %" for n in row))
                for alpha, row in shares.iterrows()
            ],
            caption="share of the map (rho shared, rho new; log scales) where each initialisation has the least error",
        )
        files.say()
        return EXIT_DONE
