"""``carryover theory figures``: figures 2, 3 and 5 of Anguita et al. (2026)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from carryover.cli.exit_codes import EXIT_DONE
from carryover.cli.theory.output import OutputFolder


@dataclass(frozen=True)
class Figures:
    """Figures 2, 3 and 5 of Anguita et al. (2026): prediction lines with simulated points and two standard errors."""

    out: Annotated[Path, tyro.conf.arg(metavar="DIR")] = Path("theory-figures")
    """Folder for figure2, figure3 and figure5 as .png, and their tables as .csv."""
    dimension: int = 1000
    """Coordinates d of the simulated tasks."""
    seeds: int = 8
    """Simulated tasks for each point."""
    seed: int = 0
    """Root of all seeds."""
    workers: int = 2
    """Processes that simulate; the numbers do not depend on it."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace files that are there."""

    def run(self) -> int:
        from rich.console import Console

        from carryover.cli.progress import watch
        from carryover.experiments import diagonal_networks as tables
        from carryover.reports.theory_figures import curve_figure, regime_figure
        from carryover.theory import Task

        names = [f"figure{n}.{end}" for n in (2, 3, 5) for end in ("png", "csv")]
        files = OutputFolder(
            self.out, (*names, "figure3_simulated.csv", "figure5_simulated.csv"), self.overwrite
        )
        table = tables.regime_map(Task())
        files.table("figure2.csv", table)
        files.figure("figure2.png", regime_figure(table))
        plans = {
            "figure3": (tables.FIGURE3_TASKS, tables.FIGURE3_NETWORKS),
            "figure5": (tables.FIGURE5_TASKS, tables.EXAMPLES),
        }
        with watch(Console(stderr=True)) as progress:
            for name, (tasks, networks) in plans.items():
                curves = tables.error_curves(tasks, networks)
                points = tables.simulated_points(
                    tasks,
                    networks,
                    dimension=self.dimension,
                    seeds=self.seeds,
                    seed=self.seed,
                    workers=self.workers,
                    progress=lambda done, name=name: progress(f"simulating {name}", done),
                )
                files.table(f"{name}.csv", curves)
                files.table(f"{name}_simulated.csv", points)
                files.figure(f"{name}.png", curve_figure(curves, points))
        files.say()
        return EXIT_DONE
