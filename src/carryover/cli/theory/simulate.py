"""``carryover theory simulate``: exact interpolators of finite tasks beside the prediction."""

from dataclasses import dataclass, field

import tyro

from carryover.cli.exit_codes import EXIT_DONE, EXIT_NOTHING
from carryover.cli.theory.flags import NetworkFlags, TaskFlags
from carryover.cli.theory.output import number, print_json, print_table


@dataclass(frozen=True)
class Simulate:
    """Exact interpolators of finite tasks, mean and standard error, beside the prediction."""

    alpha: tuple[float, ...] = (0.1, 0.2, 0.3)
    """Samples per dimension of fine-tuning, n / d."""
    task: tyro.conf.OmitArgPrefixes[TaskFlags] = field(default_factory=TaskFlags)
    network: tyro.conf.OmitArgPrefixes[NetworkFlags] = field(default_factory=NetworkFlags)
    dimension: int = 1000
    """Coordinates d of each task."""
    seeds: int = 16
    """Tasks drawn for each alpha."""
    seed: int = 0
    """Root of all seeds."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print one JSON object."""

    def run(self) -> int:
        from rich.console import Console

        from carryover.cli.progress import watch
        from carryover.theory import simulate

        model = self.network.model(self.task.task())
        predicted = model.predict(list(self.alpha))
        found = []
        with watch(Console(stderr=True, quiet=self.json)) as progress:
            for place, alpha in enumerate(self.alpha):
                progress(f"alpha = {alpha:g}", place / len(self.alpha))
                found.append(
                    simulate(
                        model, alpha, dimension=self.dimension, seeds=self.seeds, seed=self.seed
                    ).estimate
                )
        gaps = [
            None if one.std_error in (None, 0.0) else (one.value - float(error)) / one.std_error
            for one, error in zip(found, predicted.generalization_error, strict=True)
        ]
        if self.json:
            print_json(
                {
                    "alpha": predicted.alpha,
                    "generalization_error": predicted.generalization_error,
                    "simulated": [one.value for one in found],
                    "std_error": [one.std_error for one in found],
                    "status": [one.status for one in found],
                    "dimension": self.dimension,
                    "seeds": self.seeds,
                }
            )
        else:
            rows = zip(self.alpha, predicted.generalization_error, found, gaps, strict=True)
            print_table(
                ("alpha", "predicted", "simulated", "std. error", "gap / std. error", "status"),
                [
                    (
                        f"{alpha:g}",
                        number(error),
                        number(one.value),
                        number(one.std_error),
                        "" if gap is None else f"{gap:+.1f}",
                        one.status if one.ok else f"{one.status}: {one.reason}",
                    )
                    for alpha, error, one, gap in rows
                ],
                caption=f"d = {self.dimension}, {self.seeds} tasks each; the prediction is for d to infinity",
            )
        return EXIT_DONE if any(one.ok for one in found) else EXIT_NOTHING
