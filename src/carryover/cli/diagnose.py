"""``carryover diagnose``: which model, what accuracy to expect, what limits it, and how sure that is."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from carryover.cli.overrides import SetFlag, assigned


@dataclass(frozen=True)
class TargetFlags:
    """Laid over the config's [target]."""

    path: str | None = None
    """Folder, Parquet file or hub id of the labelled data."""
    split: str | None = None
    """The split to train on."""
    test_split: str | None = None
    """The split to test on."""
    image: str | None = None
    """Image column."""
    label: str | None = None
    """Label column."""
    group: str | None = None
    """Column that says which rows belong together."""
    task: str | None = None
    """classification or regression."""
    n_labels: int | None = None
    """Use only so many of the training labels."""
    test_fraction: float | None = None
    """Share of the rows to test on where there is no test split."""


@dataclass(frozen=True)
class MeasureFlags:
    """Laid over the config's [measure]."""

    n_draws: int | None = None
    """Half-subsamples for the interval of each score."""
    n_partitions: int | None = None
    """Partitions of the training rows for each learning curve."""


@dataclass(frozen=True)
class DiagnoseCommand:
    """Diagnose candidate models on a target: which carries most over, what to expect, what limits it."""

    config: Annotated[Path | None, tyro.conf.Positional] = None
    """TOML file with [[models]] and [target]; may be left out where flags say it all."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")] = Path("carryover-report")
    """Folder for report.html, report.json and tables/."""
    model: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="NAME=PATH")] = ()
    """A candidate: a folder of carryover pretrain, a transformers folder or hub id, a factory file.py:function, or a
    features file or folder of them. Repeat."""
    allow_overlap: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="NAME")] = ()
    """Let this model's unlabelled pool hold labelled examples; every report then says so. Repeat."""
    adaptation: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="DIR")] = ()
    """Show this run of carryover adapt on one of the models, in place of the config's adaptations. Repeat."""
    target: TargetFlags = field(default_factory=TargetFlags)
    measure: MeasureFlags = field(default_factory=MeasureFlags)
    assign: SetFlag = ()
    """Any other key of the config, such as measure.max_rows=20000. Repeat."""
    seed: int | None = None
    """Seed of everything random."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace a report that is there."""
    cache: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Where extracted features are kept (default: CARRYOVER_CACHE, else the user's cache folder)."""
    refresh_features: tyro.conf.FlagCreatePairsOff[bool] = False
    """Extract features anew even where they are cached."""
    device: str = "cpu"
    """Where networks run, such as cpu or cuda."""
    batch_size: int = 256
    """Images in one forward pass."""
    threads: int = 1
    """Threads of the numerical libraries; recorded, since the last digits depend on them."""
    quiet: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print errors only."""

    def run(self) -> int:
        """Diagnose, write the report, print the answer; the exit code."""
        from rich.console import Console

        from carryover.reports.publish import check_free

        check_free(self.out, overwrite=self.overwrite)
        return diagnose_and_report(
            self.config,
            self.out,
            models=self.model,
            overrides=self._overrides(),
            settings=Settings(
                overwrite=self.overwrite,
                cache=self.cache,
                refresh_features=self.refresh_features,
                device=self.device,
                batch_size=self.batch_size,
                threads=self.threads,
            ),
            console=Console(quiet=self.quiet),
        )

    def _overrides(self) -> dict[str, Any]:
        flags = {
            "seed": self.seed,
            "allow_overlap": self.allow_overlap or None,
            "adaptations": self.adaptation or None,
        }
        for table in ("target", "measure"):
            values = dataclasses.asdict(getattr(self, table))
            flags |= {f"{table}.{key}": value for key, value in values.items()}
        return flags | assigned(self.assign)


@dataclass(frozen=True)
class Settings:
    """What does not change the result: where things are kept and what they run on."""

    overwrite: bool = False
    cache: Path | None = None
    refresh_features: bool = False
    device: str = "cpu"
    batch_size: int = 256
    threads: int = 1


def diagnose_and_report(
    config: Path | None,
    out: Path,
    *,
    models: tuple[str, ...] = (),
    overrides: Mapping[str, Any] | None = None,
    settings: Settings,
    console: Any,
) -> int:
    """Run the diagnosis with a progress bar, publish the report, print the summary."""
    from threadpoolctl import threadpool_limits

    from carryover.cli.progress import watch
    from carryover.diagnosis.options import RunOptions
    from carryover.diagnosis.pipeline import diagnose
    from carryover.reports.publish import write_report
    from carryover.reports.terminal import print_summary

    _limit_torch(settings.threads)
    with threadpool_limits(settings.threads), watch(console) as progress:
        options = RunOptions(
            device=settings.device,
            batch_size=settings.batch_size,
            refresh_features=settings.refresh_features,
            progress=progress,
            announce=lambda sentence: console.print(sentence, markup=False),
            **({} if settings.cache is None else {"cache_dir": settings.cache}),
        )
        record = diagnose(config, models=models, overrides=overrides, options=options).record
        progress("writing the report", 0.5)
        report = write_report(record, out, overwrite=settings.overwrite)
    print_summary(record, console, report_path=report)
    return 0 if any(model["status"] == "ok" for model in record["models"]) else 1


def _limit_torch(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
