"""``carryover demo``: the main job on the digits inside scikit-learn, offline."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from carryover.cli.diagnose import Settings, diagnose_and_report


@dataclass(frozen=True)
class DemoCommand:
    """Pretrain small encoders on handwritten digits, then diagnose them on noisy ones with few labels; offline."""

    out: Annotated[Path, tyro.conf.arg(metavar="DIR")] = Path("demo-report")
    """Folder for report.html, report.json and tables/, and inputs/ with the data and config of the demo."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace a report that is there."""
    seed: int = 0
    """Seed of everything random."""

    def run(self) -> int:
        """Prepare the inputs, then do what ``carryover diagnose`` does."""
        from rich.console import Console

        from carryover.experiments.digits import prepare_digits
        from carryover.reports.publish import check_free

        console = Console()
        check_free(self.out, overwrite=self.overwrite)
        console.print(
            "Four small encoders are pretrained on 900 digits without labels, then diagnosed on noisy ones."
        )
        config = prepare_digits(
            self.out / "inputs",
            seed=self.seed,
            announce=lambda words: console.print(f"... {words}", markup=False),
        )
        console.print(f"Now: carryover diagnose {config} --out {self.out}", markup=False)
        with tempfile.TemporaryDirectory(prefix="carryover-demo-") as cache:
            return diagnose_and_report(
                config,
                self.out,
                settings=Settings(overwrite=self.overwrite, cache=Path(cache)),
                console=console,
            )
