"""``carryover adapt``: adapt a network to labelled images by one plan, or compare them all under one budget."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from carryover.cli.diagnose import TargetFlags
from carryover.cli.overrides import SetFlag, assigned


@dataclass(frozen=True)
class BudgetFlags:
    """Laid over the config's [train]."""

    steps: int | None = None
    """Steps of the optimizer that every plan gets."""
    batch_size: int | None = None
    """Examples in a step."""


@dataclass(frozen=True)
class AdaptCommand:
    """Adapt a pretrained network to labelled images; stop it with Ctrl-C, run the same command again and it goes on."""

    config: Annotated[Path | None, tyro.conf.Positional] = None
    """TOML file with [model], [target] and perhaps plan, [train], [scales], [[plans]]."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")] = Path("carryover-adapted")
    """The run's folder: an empty or new one, or one that this config was stopped in."""
    model: Annotated[str | None, tyro.conf.arg(metavar="PATH")] = None
    """The network: a transformers folder or hub id, or a folder of carryover pretrain."""
    plan: str | None = None
    """linear_probe, fine_tuning, lp_ft, l2_sp, ball, lora, one of the config's [[plans]], or all."""
    target: TargetFlags = field(default_factory=TargetFlags)
    train: BudgetFlags = field(default_factory=BudgetFlags)
    decompose: tyro.conf.FlagCreatePairsOff[bool] = False
    """Also look for the best that each plan's constraint allows, on labels beyond --target.n-labels."""
    regime: Literal["winner", "all", "none"] | None = None
    """Whose learning regime is measured: the winner's (default), that of every plan, or none; a plan's costs about
    four more runs of it."""
    forecast: bool | None = None
    """Whether plans are forecast before they run (default: yes)."""
    assign: SetFlag = ()
    """Any other key of the config, such as train.flip=0.5. Repeat."""
    seed: int | None = None
    """Seed of everything random."""
    device: str = "cpu"
    """Where to train, such as cpu or cuda."""
    threads: int = 2
    """Threads of the numerical libraries; recorded, since the last digits depend on them."""
    quiet: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print errors only."""

    def run(self) -> int:
        """Adapt, print the comparison, say how to predict; the exit code."""
        from rich.console import Console

        from carryover.adaptation.config import read_adaptation

        spec = read_adaptation(self.config, overrides=self._overrides())
        return adapt_and_report(
            spec, self.out, device=self.device, threads=self.threads, console=Console(quiet=self.quiet)
        )

    def _overrides(self) -> dict[str, Any]:
        flags: dict[str, Any] = {
            "model.path": self.model,
            "plan": self.plan,
            "decompose": self.decompose or None,
            "regime.plans": self.regime,
            "forecast.make": self.forecast,
            "seed": self.seed,
        }
        for table in ("target", "train"):
            values = dataclasses.asdict(getattr(self, table))
            flags |= {f"{table}.{key}": value for key, value in values.items()}
        return flags | assigned(self.assign)


def adapt_and_report(spec: Any, out: Path, *, device: str, threads: int, console: Any) -> int:
    """Run with progress; Ctrl-C stops it after the step in hand, with a checkpoint."""
    import torch
    from threadpoolctl import threadpool_limits

    from carryover._core.errors import InputError, NotComputedError
    from carryover.adaptation.run import AdaptOptions, adapt
    from carryover.cli.exit_codes import EXIT_DONE, EXIT_INTERRUPTED
    from carryover.cli.stopping import stop_on_signal

    if threads < 1:
        raise InputError(f"threads must be >= 1, got {threads}")
    torch.set_num_threads(threads)
    with threadpool_limits(threads), stop_on_signal() as stop:
        options = AdaptOptions(
            device=device, stop=stop, announce=lambda words: console.print(f"... {words}", markup=False)
        )
        try:
            found = adapt(spec, out, options)
        except NotComputedError as error:
            raise InputError(str(error)) from error
    if not found.done:
        console.print(
            f"Stopped, with a checkpoint in {out}. Run the same command again to go on.", markup=False
        )
        return EXIT_INTERRUPTED
    for line in comparison(found.record):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(f"Predict with it: carryover predict {out} DATA", markup=False, soft_wrap=True)
    return EXIT_DONE


def comparison(record: Mapping[str, Any]) -> list[str]:
    """A line for each plan, the winner first and named, those that failed last; how sure the choice is; warnings;
    and the learning regime where it was measured.
    """
    finished = [row for row in record["plans"] if row["status"] == "ok"]
    best_first = sorted(finished, key=lambda row: row["validation_loss"])
    lines = [_line(row) for row in best_first]
    lines += [
        f"{row['plan']}: {row['status']}, {row['reason']}" for row in record["plans"] if row not in finished
    ]
    lines.append(record["choice"]["sentence"])
    lines += [f"Warning, {row['plan']}: {said}" for row in record["plans"] for said in row["warnings"]]
    return lines + [line for row in best_first for line in _regime_lines(row)]


def _regime_lines(row: Mapping[str, Any]) -> list[str]:
    """Where the plan's run lies on the map of learning regimes, on what evidence, and what to try."""
    found = row.get("regime")
    if found is None:
        return []
    if found["status"] != "ok":
        return [f"Learning regime of {row['plan']}: cannot tell ({found['reason']})"]
    placed = found["regime"] or "cannot tell"
    return [
        f"Learning regime of {row['plan']}: {placed}",
        *(f"  {words}" for words in found["sentences"] + found["advice"]),
    ]


def _forecast_words(row: Mapping[str, Any]) -> str:
    """What was expected before the plan ran."""
    found = row.get("forecast")
    if found is None:
        return ""
    expected = found["accuracy"]
    if expected["status"] != "ok":
        return ", no forecast"
    return (
        f", forecast {expected['value']:.3f} [{expected['interval'][0]:.3f}, {expected['interval'][1]:.3f}]"
    )


def _line(row: Mapping[str, Any]) -> str:
    name = "test_accuracy" if "test_accuracy" in row else "test_r2"
    found = row[name]
    if found["status"] != "ok":
        return f"{row['plan']}: not measured ({found['reason']})"
    low, high = found["interval"]
    words = "test accuracy" if name == "test_accuracy" else "test R2"
    line = f"{row['plan']}: {words} {found['value']:.3f} [{low:.3f}, {high:.3f}]{_forecast_words(row)}"
    outside = row.get(name.replace("test_", "out_of_domain_"))
    if outside is None or outside["status"] != "ok":
        return line
    return f"{line}, out of domain {outside['value']:.3f} [{outside['interval'][0]:.3f}, {outside['interval'][1]:.3f}]"
