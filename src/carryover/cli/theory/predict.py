"""``carryover theory predict``: the generalization error at each alpha."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from carryover.cli.exit_codes import EXIT_DONE, EXIT_NOTHING
from carryover.cli.theory.flags import NetworkFlags, TaskFlags
from carryover.cli.theory.output import number, print_json, print_table

if TYPE_CHECKING:
    from carryover.theory import Task


@dataclass(frozen=True)
class Predict:
    """The generalization error at each alpha (samples per dimension), with a status."""

    alpha: tuple[float, ...] = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
    """Samples per dimension of fine-tuning, n / d."""
    task: tyro.conf.OmitArgPrefixes[TaskFlags] = field(default_factory=TaskFlags)
    network: tyro.conf.OmitArgPrefixes[NetworkFlags] = field(default_factory=NetworkFlags)
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print one JSON object: alpha, generalization_error, status."""
    plot: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Draw the curve into a .png, .svg or .pdf file."""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """Replace a file that is there."""

    def run(self) -> int:
        if self.plot is not None:
            from carryover.reports.theory_figures import check_figure_path

            check_figure_path(self.plot, overwrite=self.overwrite)
        task = self.task.task()
        model = self.network.model(task)
        found = model.predict(list(self.alpha))
        if self.json:
            print_json(
                {
                    "alpha": found.alpha,
                    "generalization_error": found.generalization_error,
                    "status": found.status,
                    **({"reason": found.reason} if (found.status != "ok").any() else {}),
                }
            )
        else:
            rows = zip(found.alpha, found.generalization_error, found.status, found.reason, strict=True)
            print_table(
                ("alpha", "generalization error", "status"),
                [(f"{a:g}", number(e), s if s == "ok" else f"{s}: {why}") for a, e, s, why in rows],
                caption=f"order l {float(model.order):.3f}, pretraining dependence PD "
                f"{float(model.pretraining_dependence):.3f}: regime {model.regime}",
            )
        if self.plot is not None:
            self._draw(task)
        return EXIT_DONE if (found.status == "ok").any() else EXIT_NOTHING

    def _draw(self, task: "Task") -> None:
        import numpy as np
        import pandas as pd

        from carryover.reports.theory_figures import curve_figure, save_figure

        low, high = min(self.alpha), max(self.alpha)
        found = self.network.model(task).predict(np.linspace(low, high, 80) if high > low else [low])
        curves = pd.DataFrame(
            {
                "task": "",
                "network": "prediction",
                "alpha": found.alpha,
                "generalization_error": found.generalization_error,
            }
        )
        written = save_figure(curve_figure(curves), self.plot, overwrite=self.overwrite)
        if not self.json:
            print(f"Figure: {written}")
