"""``carryover theory design``: the initialisation with the smallest predicted error."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from carryover._core.errors import InputError
from carryover.cli.exit_codes import EXIT_DONE
from carryover.cli.theory.flags import TaskFlags
from carryover.cli.theory.output import number, print_json, print_table

if TYPE_CHECKING:
    from carryover.theory import Task


@dataclass(frozen=True)
class Design:
    """The initialisation with the smallest predicted error, for one task or, as a compromise, for several."""

    alpha: float = 0.2
    """Samples per dimension of fine-tuning, in (0, 1)."""
    task: tyro.conf.OmitArgPrefixes[TaskFlags] = field(default_factory=TaskFlags)
    also: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(metavar="RHO_FT,OVERLAP")] = ()
    """A further fine-tuning task that the same initialisation must serve. Repeat."""
    protocol: Literal["symmetrized", "kept"] = "symmetrized"
    """First layer at the start of fine-tuning: w+ = w- = their sum, or as pretraining left it."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print one JSON object."""

    def run(self) -> int:
        from carryover.theory import best_initialization

        tasks = [self.task.task(), *(self._further(given) for given in self.also)]
        found = best_initialization(tasks, self.alpha, protocol=self.protocol)
        scales = {
            "scale": float(found.network.scale),
            "relative_scale": float(found.network.relative_scale),
            "gamma": float(found.network.readout),
        }
        steps = dict(zip(scales, found.sensitivity.values(), strict=True))
        if self.json:
            print_json(
                {
                    "alpha": self.alpha,
                    **scales,
                    "generalization_error": found.errors,
                    "best_possible": found.best_errors,
                    "regret": found.regret,
                    "sensitivity": {name: {"halved": a, "doubled": b} for name, (a, b) in steps.items()},
                    "at_limit": list(found.at_limit),
                }
            )
            return EXIT_DONE
        named = {"relative_scale": "1 + relative scale"}
        print_table(
            ("", "value", "error if halved", "error if doubled"),
            [
                (
                    name.replace("_", " "),
                    f"{value:.6g}" + (" (at the limit of the search)" if name in found.at_limit else ""),
                    *(
                        f"x {10**step:.3g}" + (f" ({named[name]})" if name in named else "")
                        for step in steps[name]
                    ),
                )
                for name, value in scales.items()
            ],
            caption=f"at alpha = {self.alpha:g}, {found.n_evaluations:,} predictions made",
        )
        print_table(
            ("task", "error", "its own best"),
            [
                (
                    f"{place + 1}: rho {float(task.rho_finetuning):g}, overlap {float(task.overlap):g}",
                    number(a),
                    number(b),
                )
                for place, (task, a, b) in enumerate(zip(tasks, found.errors, found.best_errors, strict=True))
            ],
        )
        return EXIT_DONE

    def _further(self, given: str) -> "Task":
        try:
            density, overlap = (float(part) for part in given.split(","))
        except ValueError:
            raise InputError(
                f"--also must be two numbers RHO_FT,OVERLAP such as .05,1, got {given!r}"
            ) from None
        return replace(self.task, rho_finetuning=density, overlap=overlap).task()
