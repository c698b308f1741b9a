"""``carryover reproduce``: a named experiment, its table and figure beside the published numbers, and verdicts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from carryover._core.errors import InputError


@dataclass(frozen=True)
class ReproduceCommand:
    """Run a named experiment and set it beside what is published; stop it with Ctrl-C, and the same again goes on."""

    name: Annotated[str | None, tyro.conf.Positional] = None
    """The experiment; --list prints them."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder for its rows, table, figure, comparisons and page: a new one, or that of an earlier run."""
    size: Literal["smoke", "small", "full"] = "small"
    """How much is run: smoke (does it run), small (a laptop), full."""
    data: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder with a folder for each data set (cifar10, cifar100, mnist, ...); by default they come from the hub."""
    list: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print every experiment with what each size costs."""
    backend: Literal["loky", "dask", "ray"] = "loky"
    """Where cells run: loky: processes of this machine; dask, ray: a cluster (extras carryover[dask], [ray])."""
    address: str | None = None
    """Scheduler of Dask or head of Ray; without one a local cluster is started."""
    workers: int = 1
    """Processes that compute; the numbers do not depend on it."""
    retry_failed: tyro.conf.FlagCreatePairsOff[bool] = False
    """Compute cells again that failed before."""
    quiet: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print errors only."""

    def run(self) -> int:
        """List, or run and write; the exit code."""
        from rich.console import Console

        console = Console(quiet=self.quiet)
        if self.list:
            return _list(console)
        if self.name is None or self.out is None:
            missing = "NAME" if self.name is None else "--out DIR"
            raise InputError(
                f"{missing} is missing: carryover reproduce NAME --out DIR; --list says which experiments there are"
            )
        return self._reproduce(console)

    def _reproduce(self, console: Any) -> int:
        from carryover.cli.exit_codes import EXIT_DONE, EXIT_NOTHING
        from carryover.cli.sweep import watch_cells
        from carryover.experiments.catalogue import entry_named
        from carryover.experiments.inputs import Inputs
        from carryover.experiments.reproduction import reproduce
        from carryover.reports.reproduction_page import counted, write_reproduction

        entry = entry_named(self.name)
        with watch_cells(console) as progress:
            found = reproduce(
                entry,
                self.size,
                self.out,
                inputs=Inputs(self.data),
                backend=self.backend,
                address=self.address,
                workers=self.workers,
                retry_failed=self.retry_failed,
                progress=progress,
            )
        if found.n_failed == found.n_cells:
            said = f"Every cell failed; their rows say why: carryover report {self.out} --overwrite"
            console.print(said, markup=False, highlight=False, soft_wrap=True)
            return EXIT_NOTHING
        page = write_reproduction(found, self.out)
        lines = [f"{one.verdict:<14} {one.what}: {one.sentence}" for one in found.comparisons]
        failed = [f"{found.n_failed:,} of {found.n_cells:,} cells failed."] if found.n_failed else []
        for line in (*lines, *found.notes, *failed, counted(found.comparisons), f"Report: {page}"):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        return EXIT_DONE


def _list(console: Any) -> int:
    from carryover.cli.exit_codes import EXIT_DONE
    from carryover.experiments.catalogue import CATALOGUE
    from carryover.reports.costs import cost_said

    for entry in CATALOGUE.values():
        costs = "; ".join(f"{name}: {cost_said(size.cost)}" for name, size in entry.sizes.items())
        for line in (entry.name, f"    {entry.description}", f"    {costs}"):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    return EXIT_DONE
