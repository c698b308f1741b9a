"""``carryover theory``: exact predictions for pretraining then fine-tuning in diagonal linear networks."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from carryover.cli.theory.design import Design
from carryover.cli.theory.figures import Figures
from carryover.cli.theory.predict import Predict
from carryover.cli.theory.regimes import Regimes
from carryover.cli.theory.simulate import Simulate


@dataclass(frozen=True)
class TheoryCommand:
    """Exact theory of pretraining then fine-tuning in diagonal linear networks."""

    command: tyro.conf.OmitSubcommandPrefixes[
        Annotated[Predict, tyro.conf.subcommand("predict")]
        | Annotated[Simulate, tyro.conf.subcommand("simulate")]
        | Annotated[Regimes, tyro.conf.subcommand("regimes")]
        | Annotated[Design, tyro.conf.subcommand("design")]
        | Annotated[Figures, tyro.conf.subcommand("figures")]
    ]

    def run(self) -> int:
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):  # small matrices: more threads only wait for each other
            return self.command.run()
