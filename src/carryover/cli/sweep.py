"""``carryover sweep``: a grid, zip or random search over a command's config, on this machine or a cluster."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from carryover._core.errors import InputError

if TYPE_CHECKING:
    from carryover.experiments.rows import Row
    from carryover.experiments.store import Store
    from carryover.experiments.sweep import Progress, SweepResult


@dataclass(frozen=True)
class SweepCommand:
    """Run every cell of a sweep; stop it with Ctrl-C, run the same command again and it goes on."""

    config: Annotated[Path, tyro.conf.Positional]
    """TOML file with [sweep], [base] (the command's own tables) and [over] (what varies)."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """The sweep's folder: an empty or new one, or one with cells of the same command. Machines may share it."""
    backend: Literal["loky", "dask", "ray"] = "loky"
    """Where cells run: loky: processes of this machine; dask, ray: a cluster (extras carryover[dask], [ray])."""
    address: str | None = None
    """Scheduler of Dask or head of Ray; without one a local cluster is started."""
    workers: int = 1
    """Processes that compute; rows do not depend on it."""
    threads: int = 1
    """Threads of the numerical libraries for each cell; recorded, since the last digits depend on them."""
    batch: int | None = None
    """Cells whose rows are written together (default: 1 where a cell takes long, else by their number)."""
    retry_failed: tyro.conf.FlagCreatePairsOff[bool] = False
    """Compute cells again that failed before."""
    limit: int | None = None
    """Compute at most so many cells now."""
    quiet: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print errors only."""

    def run(self) -> int:
        """Plan, run with progress, say what was done; the exit code."""
        from rich.console import Console

        from carryover.cli.exit_codes import EXIT_DONE, EXIT_NOTHING
        from carryover.experiments.backends import check_backend
        from carryover.experiments.cells import plan_sweep
        from carryover.experiments.store import open_store
        from carryover.experiments.sweep import run_plan

        check_backend(self.backend, self.address)
        plan = plan_sweep(self.config)
        store = open_store(self.out, command=plan.spec.sweep.command, sweep=plan.spec.as_table())
        console = Console(quiet=self.quiet)
        with watch_cells(console) as progress:
            found = run_plan(
                plan,
                store,
                backend=self.backend,
                address=self.address,
                workers=self.workers,
                threads=self.threads,
                batch=self.batch,
                retry_failed=self.retry_failed,
                limit=self.limit,
                progress=progress,
            )
        for sentence in sentences(found, self.out, reason=_a_reason(store) if found.n_failed else ""):
            console.print(sentence, markup=False, highlight=False, soft_wrap=True)
        any_result = found.n_cells - found.n_left > found.n_failed
        return EXIT_DONE if any_result else EXIT_NOTHING


@dataclass(frozen=True)
class ReportCommand:
    """Make the page and the table of a sweep from its rows."""

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
    """The folder of carryover sweep."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Where to write report.html and the tables (default: into the folder itself)."""
    result: str | None = None
    """The result that is drawn and shown first (default: the first number that a cell has)."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace a report that is there."""

    def run(self) -> int:
        """Write both files; the exit code."""
        from carryover.cli.exit_codes import EXIT_DONE, EXIT_NOTHING
        from carryover.experiments.store import existing_store, read_sweep_record
        from carryover.reports.sweep_measures import MeasuresView
        from carryover.reports.sweep_page import write_sweep_report

        store = existing_store(self.folder)
        rows = store.read()
        if not len(rows.table):
            raise InputError(f"{self.folder} has no rows yet: carryover sweep computes them")
        record = read_sweep_record(self.folder)
        measures = measures_of_shards(store) if record["command"] == "features" else []
        page = write_sweep_report(
            rows,
            record,
            self.out or self.folder,
            measures=measures,
            result=self.result,
            overwrite=self.overwrite,
        )
        for line in MeasuresView(measures).lines():
            print(line)
        print(f"Report: {page}")
        return EXIT_DONE if "ok" in rows.status.values() else EXIT_NOTHING


def measures_of_shards(store: "Store") -> "list[Row]":
    """The measures of every model whose shards were put together, a line each."""
    from carryover.experiments.shards.measures import measure_rows
    from carryover.experiments.shards.merging import merged_models

    return [row for model in merged_models(store) for row in measure_rows(store, model)]


def _a_reason(store: Any) -> str:
    """Why one of the cells failed; the commonest reason."""
    rows = store.read(("id", "status", "reason")).table.to_pylist()
    return Counter(row["reason"] for row in rows if row["status"] == "failed").most_common(1)[0][0]


def sentences(found: "SweepResult", out: Path, *, reason: str = "") -> list[str]:
    """What was computed, what failed and the commonest ``reason``, and what to do next."""
    said = [f"{found.n_computed:,} of {found.n_cells:,} cells computed"]
    said += [f"{found.n_before:,} were there before"] if found.n_before else []
    said += [f"{found.n_left:,} left out by --limit"] if found.n_left else []
    lines = [", ".join(said) + f": rows in {out}.", *found.notes]
    if found.n_failed:
        lines.append(
            f"{found.n_failed:,} failed; their rows say why: {reason}. --retry-failed computes them again."
        )
    return [*lines, f"Next: carryover report {out}"]


@contextmanager
def watch_cells(console: Any) -> Iterator[Callable[["Progress"], None]]:
    """Gives a function of :class:`Progress`: a bar with the time left in a terminal, a line now and then elsewhere."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bars

    if not console.is_terminal:
        yield _lines(console)
        return
    columns = (BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with Bars(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=None)
        yield lambda now: bar.update(task, total=now.n_todo, completed=now.n_done, description=_words(now))


def _lines(console: Any) -> Callable[["Progress"], None]:
    """At most a line each tenth of the cells."""
    told = [-1]

    def show(now: "Progress") -> None:
        tenth = 10 * now.n_done // max(1, now.n_todo)
        if tenth != told[0]:
            told[0] = tenth
            line = f"{now.n_done:,} of {now.n_todo:,} cells: {_words(now)}"
            console.print(line, markup=False, highlight=False, soft_wrap=True)

    return show


def _words(now: "Progress") -> str:
    from carryover.reports.numbers import duration

    left = now.seconds_left
    said = "starting" if left is None else f"{duration(left)} left" if now.n_done < now.n_todo else "done"
    return f"{said}, {now.n_failed:,} failed" if now.n_failed else said
