"""``carryover bounds``: every bound on one classifier, side by side, for a report or an adapted network."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from carryover._core.errors import InputError


@dataclass(frozen=True)
class BoundsCommand:
    """Compute every bound on the error of a report's probes, or of an adapted network, and put them side by side."""

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN_OR_REPORT")]
    """The folder of a report of carryover diagnose, or of a finished run of carryover adapt."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Where to write (default: into the folder itself; a report gets a section more)."""
    confidence: float = 0.95
    """Confidence of every bound that has one."""
    masks: int | None = None
    """Retrainings behind the bounds that hold in expectation (default: 30, or as many as the pairs need)."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace bounds, or another report, that are there."""
    cache: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Where extracted features are kept (default: CARRYOVER_CACHE, else the user's cache folder)."""
    device: str = "cpu"
    """Where networks run, such as cpu or cuda."""
    batch_size: int = 256
    """Images in one forward pass."""
    threads: int = 1
    """Threads of the numerical libraries."""
    quiet: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print errors only."""

    def run(self) -> int:
        """Compute, write, print; the exit code."""
        from rich.console import Console
        from threadpoolctl import threadpool_limits

        from carryover.bounding.options import BoundsOptions
        from carryover.cli.progress import watch
        from carryover.diagnosis.options import RunOptions

        console = Console(quiet=self.quiet)
        compute = _for_report if (self.folder / "report.json").is_file() else _for_run
        with threadpool_limits(self.threads), watch(console) as progress:
            options = BoundsOptions(
                confidence=self.confidence,
                n_masks=self.masks,
                run=RunOptions(
                    device=self.device,
                    batch_size=self.batch_size,
                    progress=progress,
                    **({} if self.cache is None else {"cache_dir": self.cache}),
                ),
            )
            shown, page = compute(self, options)
        _print(shown, console, page)
        return 0


def _for_report(command: BoundsCommand, options: Any) -> tuple[list[tuple[str, list[Any]]], Path]:
    from carryover.bounding.report import bounds_of_report
    from carryover.reports.publish import check_free, write_report
    from carryover.reports.record import read_record

    out = command.out or command.folder
    record = read_record(command.folder / "report.json")
    if out.resolve() != command.folder.resolve():
        check_free(out, overwrite=command.overwrite)
    elif "all_bounds_of" in record and not command.overwrite:
        raise InputError(f"{out / 'report.json'} has all bounds already: replace them with --overwrite")
    found = bounds_of_report(record, options)
    page = write_report(found, out, overwrite=True)
    return [(model["name"], model["all_bounds"]) for model in found["models"] if "all_bounds" in model], page


def _for_run(command: BoundsCommand, options: Any) -> tuple[list[tuple[str, list[Any]]], Path]:
    from carryover.bounding.adapted import bounds_of_run
    from carryover.reports.bounds_page import check_bounds_free, write_bounds_page

    _check_is_adaptation(command.folder)
    out = command.out or command.folder
    check_bounds_free(out, overwrite=command.overwrite)
    found = bounds_of_run(command.folder, options)
    page = write_bounds_page(found, out, overwrite=command.overwrite)
    return [(f"{found['model']}, {found['plan']}", found["all_bounds"])], page


def _check_is_adaptation(folder: Path) -> None:
    """Raises InputError, with what to do, for a folder that is neither a report nor a run of carryover adapt."""
    run = folder / "run.json"
    if not run.is_file():
        raise InputError(
            f"{folder} holds neither a report of carryover diagnose (report.json) nor a run of carryover adapt "
            "(run.json)"
        )
    try:
        schema = json.loads(run.read_text(encoding="utf-8")).get("schema")
    except (ValueError, AttributeError) as error:
        raise InputError(f"{run} is damaged: {error}") from error
    if schema == "carryover.run/1":
        raise InputError(
            f"{folder} is a pretraining run, and bounds are on the error of a classifier: diagnose it on labelled data "
            "first (carryover diagnose --model NAME=FOLDER --target.path DATA), then give the report's folder"
        )


def _print(shown: list[tuple[str, list[Any]]], console: Any, page: Path) -> None:
    from rich.text import Text

    from carryover.reports.bounds_terminal import print_bounds

    print_bounds(shown, console)
    console.print()
    console.print(Text("Report: ").append(str(page), style="bold"), soft_wrap=True)
