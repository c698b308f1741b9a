"""All subcommands, each a dataclass whose fields are its flags."""

from collections.abc import Sequence
from typing import Annotated

import tyro

from carryover import __version__
from carryover.cli.adapt import AdaptCommand
from carryover.cli.bounds import BoundsCommand
from carryover.cli.demo import DemoCommand
from carryover.cli.diagnose import DiagnoseCommand
from carryover.cli.predict import PredictCommand
from carryover.cli.pretrain import PretrainCommand
from carryover.cli.reproduce import ReproduceCommand
from carryover.cli.sweep import ReportCommand, SweepCommand
from carryover.cli.theory.command import TheoryCommand

Command = (
    Annotated[DiagnoseCommand, tyro.conf.subcommand("diagnose")]
    | Annotated[PretrainCommand, tyro.conf.subcommand("pretrain")]
    | Annotated[AdaptCommand, tyro.conf.subcommand("adapt")]
    | Annotated[PredictCommand, tyro.conf.subcommand("predict")]
    | Annotated[BoundsCommand, tyro.conf.subcommand("bounds")]
    | Annotated[DemoCommand, tyro.conf.subcommand("demo")]
    | Annotated[TheoryCommand, tyro.conf.subcommand("theory")]
    | Annotated[SweepCommand, tyro.conf.subcommand("sweep")]
    | Annotated[ReproduceCommand, tyro.conf.subcommand("reproduce")]
    | Annotated[ReportCommand, tyro.conf.subcommand("report")]
)

DESCRIPTION = (
    f"carryover {__version__}: what pretraining carries over to fine-tuning, measured with intervals, "
    "explained, and bounded."
)


def parse(
    arguments: Sequence[str] | None = None,
) -> Command:
    """The command with its flags; exits with 2 and a usage message where they do not parse."""
    return tyro.cli(Command, prog="carryover", description=DESCRIPTION, args=arguments)
