"""The tables behind the theory's figures: regime map, winner map, error curves with simulated points.

Each table is tidy, a row per point, so that a figure and a file hold the same numbers.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from joblib import Parallel, delayed

from carryover.theory import FineTuning, Network, Task, simulate
from carryover.theory.checks import check_between

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES: Mapping[str, Network] = {
    "I: rich, independent": Network(1e-3, -0.999999, 1e-6),
    "II: lazy, dependent": Network(1e-3, 0.0, 0.0),
    "III: lazy, independent": Network(1e-3, 0.0, 10.0),
    "IV: rich, dependent": Network(1e-3, -0.99, 0.0),
}
"""A network of each regime (A26)."""
FIGURE3_NETWORKS: Mapping[str, Network] = {
    "c = 1e-6": Network(1e-6, 0.0, 0.0),
    "c = 1e-3": Network(1e-3, 0.0, 0.0),
    "c = 1": Network(1.0, 0.0, 0.0),
    "c = 1e-3, relative -.99": Network(1e-3, -0.99, 0.0),
    "c = 1e-3, readout 1": Network(1e-3, 0.0, 1.0),
}
FIGURE3_TASKS: Mapping[str, Task] = {
    f"overlap {overlap:g}": Task(0.1, 0.1, overlap=overlap) for overlap in (0.0, 0.5, 1.0)
}
FIGURE5_TASKS: Mapping[str, Task] = {
    "same features (rho .1, overlap 1)": Task(0.1, 0.1, overlap=1.0),
    "a subset of them (rho .01, overlap 1)": Task(0.1, 0.01, overlap=1.0),
    "new features (rho .1, overlap 0)": Task(0.1, 0.1, overlap=0.0),
}
SCALES = tuple(10.0 ** np.arange(-6.0, 2.01, 0.5))
RELATIVE_SCALES = (-0.999999, -0.9999, -0.99, -0.9, -0.5, 0.0, 0.5, 0.9)
READOUTS = (0.0, *(10.0 ** np.arange(-6.0, 2.01, 0.5)))


def regime_map(task: Task) -> "pd.DataFrame":
    """Figure 2 of A26: order and pretraining dependence over each of the three scales.

    Columns: knob (the scale that moves), scale, relative_scale, readout, order, pretraining_dependence, regime.
    """
    import pandas as pd

    rows = []
    for knob, scale, relative, readout in regime_points():
        model = FineTuning(task, Network(scale, relative, readout))
        rows.append(
            {
                "knob": knob,
                "scale": scale,
                "relative_scale": relative,
                "readout": readout,
                "order": float(model.order),
                "pretraining_dependence": float(model.pretraining_dependence),
                "regime": model.regime,
            }
        )
    return pd.DataFrame(rows)


def regime_points() -> list[tuple[str, float, float, float]]:
    """The points of the map: which scale moves, and scale, relative scale, readout."""
    points = [("scale", float(c), relative, 0.0) for relative in RELATIVE_SCALES for c in SCALES]
    points += [
        ("relative scale", c, float(relative), 0.0)
        for c in (1e-6, 1e-3, 1.0)
        for relative in _relative_axis()
    ]
    return points + [
        ("readout", 1e-3, relative, float(gamma)) for relative in RELATIVE_SCALES for gamma in READOUTS
    ]


def _relative_axis() -> np.ndarray:
    return np.concatenate([-1.0 + 10.0 ** np.arange(-7.0, 0.0, 0.25), np.linspace(0.0, 1.0, 9)])


def winner_map(
    alphas: Sequence[float],
    *,
    networks: Mapping[str, Network] = EXAMPLES,
    rho_pretraining: float = 0.1,
    cells: int = 40,
) -> "pd.DataFrame":
    """Which of ``networks`` has the smallest predicted error, over rho_shared x rho_new at each alpha.

    Columns: alpha, rho_shared, rho_new, winner, error (the winner's), margin (log10 of runner-up over winner),
    solved (whether all networks' equations were).
    """
    import pandas as pd

    check_between("rho_pretraining", rho_pretraining, 0.0, 1.0, open_low=True)
    shared = np.geomspace(1e-3, 1.0, cells) * rho_pretraining
    new = np.geomspace(1e-3, min(0.5, 0.99 * (1.0 - rho_pretraining)), cells)
    grid_shared, grid_new = np.meshgrid(shared, new, indexing="ij")
    total = grid_shared + grid_new
    task = Task(rho_pretraining, total, overlap=grid_shared / total)
    names = np.array(list(networks))
    frames = []
    for alpha in alphas:
        errors = np.stack(
            [FineTuning(task, network).predict(alpha).generalization_error for network in networks.values()]
        )
        solved = np.isfinite(errors).all(axis=0)
        ordered = np.sort(np.where(np.isfinite(errors), errors, np.inf), axis=0)
        best = np.argmin(np.where(np.isfinite(errors), errors, np.inf), axis=0)
        frames.append(
            pd.DataFrame(
                {
                    "alpha": float(alpha),
                    "rho_shared": grid_shared.ravel(),
                    "rho_new": grid_new.ravel(),
                    "winner": names[best].ravel(),
                    "error": ordered[0].ravel(),
                    "margin": np.log10(ordered[1] / ordered[0]).ravel(),
                    "solved": solved.ravel(),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def error_curves(
    tasks: Mapping[str, Task],
    networks: Mapping[str, Network],
    *,
    alphas: Sequence[float] = tuple(np.round(np.linspace(0.02, 0.98, 49), 3)),
) -> "pd.DataFrame":
    """Predicted errors: columns task, network, alpha, generalization_error, status, reason."""
    import pandas as pd

    frames = []
    for (task_name, task), (network_name, network) in itertools.product(tasks.items(), networks.items()):
        found = FineTuning(task, network).predict(np.asarray(alphas, dtype=np.float64))
        frames.append(
            pd.DataFrame(
                {
                    "task": task_name,
                    "network": network_name,
                    "alpha": found.alpha,
                    "generalization_error": found.generalization_error,
                    "status": found.status,
                    "reason": found.reason,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def simulated_points(
    tasks: Mapping[str, Task],
    networks: Mapping[str, Network],
    *,
    alphas: Sequence[float] = (0.1, 0.2, 0.3, 0.4, 0.5),
    dimension: int = 1000,
    seeds: int = 8,
    seed: int = 0,
    workers: int = 1,
    progress: Callable[[float], None] = lambda _: None,
) -> "pd.DataFrame":
    """Simulated errors beside their predictions: task, network, alpha, dimension, seeds, mean, std_error,
    predicted, status, reason.

    The rows are the same for any number of ``workers`` (processes).
    """
    import pandas as pd

    cells = list(itertools.product(tasks.items(), networks.items(), alphas))
    jobs = (
        delayed(_simulated_row)(task, network, float(alpha), dimension=dimension, seeds=seeds, seed=seed)
        for (_, task), (_, network), alpha in cells
    )
    rows = []
    found = Parallel(n_jobs=workers, return_as="generator")(jobs)
    for ((task_name, _), (network_name, _), _), row in zip(cells, found, strict=True):
        rows.append({"task": task_name, "network": network_name, **row})
        progress(len(rows) / len(cells))
    return pd.DataFrame(rows)


def _simulated_row(
    task: Task, network: Network, alpha: float, *, dimension: int, seeds: int, seed: int
) -> dict[str, float | int | str]:
    model = FineTuning(task, network)
    found = simulate(model, alpha, dimension=dimension, seeds=seeds, seed=seed)
    return {
        "alpha": alpha,
        "dimension": dimension,
        "seeds": seeds,
        "mean": np.nan if found.estimate.value is None else found.estimate.value,
        "std_error": np.nan if found.estimate.std_error is None else found.estimate.std_error,
        "predicted": float(model.predict(alpha).generalization_error),
        "status": found.estimate.status,
        "reason": found.reason or "",
    }
