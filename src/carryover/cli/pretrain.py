"""``carryover pretrain``: pretrain by a recipe in a folder that can be stopped, taken up again and diagnosed."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from carryover.cli.overrides import SetFlag, assigned


@dataclass(frozen=True)
class DataFlags:
    """Laid over the recipe's [data]."""

    path: str | None = None
    """Folder, Parquet file or hub id of the images to pretrain on."""
    split: str | None = None
    """The split to take."""
    image: str | None = None
    """Image column."""
    max_examples: int | None = None
    """Take only so many images, drawn from the seed."""
    channels: Literal[1, 3] | None = None
    """3 repeats grey images as RGB."""


@dataclass(frozen=True)
class RegularizerFlags:
    """Laid over the recipe's [regularizer]."""

    kind: Literal["none", "l2", "radreg", "frobenius", "uniformity"] | None = None
    """What is penalised; radreg, frobenius and uniformity look at --downstream."""
    strength: float | None = None
    """What the penalty is multiplied by."""
    head: Literal["l2", "frobenius", "l1", "hidden"] | None = None
    """Class of heads that RadReg guards against."""
    n_draws: int | None = None
    """Draws of signs at each step."""


@dataclass(frozen=True)
class TrainFlags:
    """Laid over the recipe's [train]."""

    steps: int | None = None
    """Steps of the optimizer."""
    batch_size: int | None = None
    """Images in a step, over all processes."""
    micro_batch: int | None = None
    """Images in memory at once; their gradients add up to the step's."""
    learning_rate: float | None = None
    """Peak learning rate."""
    downstream_batch: int | None = None
    """Downstream images in a step's penalty."""


@dataclass(frozen=True)
class PretrainCommand:
    """Pretrain an encoder by a recipe; stop it with Ctrl-C, run the same command again and it goes on."""

    config: Annotated[Path, tyro.conf.Positional]
    """TOML recipe with [data], [objective], [train] and perhaps [regularizer] and [downstream]."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """The run's folder: an empty or new one, or one that this recipe was stopped in."""
    data: DataFlags = field(default_factory=DataFlags)
    regularizer: RegularizerFlags = field(default_factory=RegularizerFlags)
    train: TrainFlags = field(default_factory=TrainFlags)
    downstream: Annotated[str | None, tyro.conf.arg(metavar="PATH")] = None
    """Folder, Parquet file or hub id of unlabelled downstream images, for the regulariser."""
    image_size: int | None = None
    """Resize all images to squares of this side."""
    assign: SetFlag = ()
    """Any other key of the config, such as train.warmup_steps=10. Repeat."""
    seed: int | None = None
    """Seed of everything random."""
    device: str = "cpu"
    """Where to train, such as cpu or cuda."""
    threads: int = 2
    """Threads of the numerical libraries; taken up with as many, a run ends bit for bit as an undisturbed one."""
    checkpoint_every: int = 500
    """Steps between checkpoints; the last two are kept."""
    log_every: int = 20
    """Steps between lines of metrics.jsonl."""
    tracker: str | None = None
    """Also send metrics to a tracker that accelerate supports, such as tensorboard or wandb."""
    quiet: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print errors only."""

    def run(self) -> int:
        """Pretrain, then say what was learned and what to do next; the exit code."""
        from rich.console import Console

        from carryover.pretraining.config import read_recipe

        spec = read_recipe(self.config, overrides=self._overrides())
        return pretrain_and_report(
            spec, self.out, settings=self._settings(), console=Console(quiet=self.quiet)
        )

    def _overrides(self) -> dict[str, Any]:
        flags: dict[str, Any] = {
            "seed": self.seed,
            "image_size": self.image_size,
            "downstream.path": self.downstream,
        }
        for table in ("data", "regularizer", "train"):
            values = dataclasses.asdict(getattr(self, table))
            flags |= {f"{table}.{key}": value for key, value in values.items()}
        return flags | assigned(self.assign)

    def _settings(self) -> dict[str, Any]:
        names = ("device", "checkpoint_every", "log_every", "threads", "tracker")
        return {name: getattr(self, name) for name in names}


def pretrain_and_report(spec: Any, out: Path, *, settings: Mapping[str, Any], console: Any) -> int:
    """Run with progress; Ctrl-C stops it after the step in hand, with a checkpoint."""
    import torch
    from threadpoolctl import threadpool_limits

    from carryover._core.errors import InputError, NotComputedError
    from carryover.cli.exit_codes import EXIT_DONE, EXIT_INTERRUPTED
    from carryover.cli.stopping import stop_on_signal
    from carryover.cli.training_progress import watch_training
    from carryover.pretraining.run import PretrainOptions, pretrain

    settings = dict(settings)
    threads = settings.pop("threads")
    if threads < 1:
        raise InputError(f"threads must be >= 1, got {threads}")
    torch.set_num_threads(threads)
    with (
        threadpool_limits(threads),
        stop_on_signal() as stop,
        watch_training(console, spec.train.steps) as show,
    ):
        try:
            found = pretrain(spec, out, PretrainOptions(**settings, progress=show, stop=stop))
        except NotComputedError as error:
            raise InputError(str(error)) from error
    if not found.done:
        console.print(
            f"Stopped after step {found.step:,} of {spec.train.steps:,}, with a checkpoint in {out}. "
            "Run the same command again to go on.",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
        return EXIT_INTERRUPTED
    if found.record is None:  # of several processes the first one measures and speaks
        return EXIT_DONE
    for sentence in sentences(found.record, out):
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)
    return EXIT_DONE


def sentences(record: Mapping[str, Any], out: Path) -> list[str]:
    """What the run found, for the terminal."""
    losses = record["pretraining_loss"]
    said = [f"Pretraining loss after {record['steps']:,} steps: {_say(losses['train'])} on training images, "
            f"{_say(losses['held_out'])} on held-out ones."]  # fmt: skip
    said += record["notes"]
    next_step = f"carryover diagnose --model {out.name}={out} --target.path ..."
    said.append(f"The encoder is in {out / 'model'}. Next: {next_step}")
    return said


def _say(estimate: Mapping[str, Any]) -> str:
    if estimate["status"] != "ok":
        return f"not measured ({estimate['reason']})"
    low, high = estimate["interval"]
    return f"{estimate['value']:.4g} [{low:.4g}, {high:.4g}]"
