"""Which initialisation carries most over: the scales with the smallest predicted error, for one task or several."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from carryover._core.errors import InputError
from carryover.theory.checks import check_number
from carryover.theory.finetuning import FineTuning
from carryover.theory.networks import Network, Protocol
from carryover.theory.priors import MixedTask, Task

LOG_RANGES = {"scale": (-6.0, 2.0), "one_plus_relative_scale": (-8.0, np.log10(2.0)), "readout": (-8.0, 2.0)}
"""Decades that are searched.  A readout of 1e-8 counts as 0."""
_SCALES = ("scale", "relative_scale", "readout")
_GRID = (9, 7, 7)
_STARTS = 4


@dataclass(frozen=True)
class Design:
    """The best network found, and how much it matters.

    - ``errors`` (tasks,): predicted errors of ``network``; ``best_errors`` (tasks,): of each task's own best
    - ``regret``: the largest of errors / best_errors - 1 (0 for a single task)
    - ``sensitivity``: for each scale, log10 of the factor by which the worst task's error grows when that scale is
      a factor of 2 smaller and larger (two numbers); for relative_scale, 1 + relative_scale is what is scaled
    - ``at_limit``: scales that ended at a limit of ``LOG_RANGES`` (the error may fall further beyond)
    - ``n_evaluations``: predictions made
    """

    network: Network
    errors: np.ndarray
    best_errors: np.ndarray
    regret: float
    sensitivity: dict[str, tuple[float, float]]
    at_limit: tuple[str, ...]
    n_evaluations: int


def best_initialization(
    tasks: Task | MixedTask | Sequence[Task | MixedTask], alpha: float, *, protocol: Protocol = "symmetrized"
) -> Design:
    """The scale, relative scale and readout with the smallest predicted error at ``alpha`` in (0, 1).

    For several tasks the compromise: the least largest ratio of a task's error to that task's own best.  A grid over
    the decades of ``LOG_RANGES`` is solved at once, and its best points are refined continuously (Nelder-Mead).
    A sensitivity of 0 means a flat direction, unless the scale stands in ``at_limit``: steps end at the limits.

    >>> design = best_initialization(Task(0.1, 0.05, overlap=1.0), 0.3)
    >>> bool(design.errors[0] < 1e-4)
    True
    """
    several = [tasks] if isinstance(tasks, Task | MixedTask) else list(tasks)
    if not several:
        raise InputError("tasks must hold at least one task, got none")
    if any(one.mixture.share.ndim > 1 or np.ndim(one.label_noise_std) for one in several):
        raise InputError("tasks must have single numbers, got arrays: give a sequence of tasks instead")
    check_number("alpha", alpha, 0.0, 1.0, open_low=True, open_high=True)
    search = _Search(several, float(alpha), protocol)
    grid = search.grid()
    table = search.log_errors(grid)
    best = np.empty(len(several))
    points = []
    for index in range(len(several)):
        point, best[index] = search.refine(grid, table[:, index], lambda logs, i=index: logs[:, i])
        points.append(point)
    if len(several) == 1:
        chosen = points[0]
    else:
        starts, losses = (
            np.vstack([grid, points]),
            (np.vstack([table, search.log_errors(np.array(points))]) - best).max(axis=1),
        )
        chosen, _ = search.refine(starts, losses, lambda logs: (logs - best).max(axis=1))
    errors = search.log_errors(chosen[None, :])[0]
    best = np.minimum(best, errors)
    return Design(
        network=search.network(chosen),
        errors=10.0**errors,
        best_errors=10.0**best,
        regret=float(10.0 ** (errors - best).max() - 1.0),
        sensitivity=_sensitivity(search, chosen, errors),
        at_limit=search.at_limit(chosen),
        n_evaluations=search.n_evaluations,
    )


class _Search:
    """Log errors of all tasks at points (m, 3) of log10 scales."""

    def __init__(self, tasks: list[Task | MixedTask], alpha: float, protocol: Protocol) -> None:
        self.tasks, self.alpha, self.protocol = tasks, alpha, protocol
        self.low, self.high = np.array(list(LOG_RANGES.values())).T
        self.n_evaluations = 0

    def grid(self) -> np.ndarray:
        axes = [np.linspace(low, high, n) for low, high, n in zip(self.low, self.high, _GRID, strict=True)]
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)

    def network(self, point: np.ndarray) -> Network:
        scale, first, readout = 10.0 ** np.clip(np.asarray(point), self.low, self.high).T
        kept = np.where(np.asarray(point)[..., 2] <= self.low[2], 0.0, readout)
        scales = (scale, np.minimum(first - 1.0, 1.0), kept)
        return Network(*(float(one) if np.ndim(one) == 0 else one for one in scales), self.protocol)

    def at_limit(self, point: np.ndarray) -> tuple[str, ...]:
        """Scales within a hundredth of a decade of a limit; a readout of 0 and relative_scale 1 are none."""
        low, high = point < self.low + 0.01, point > self.high - 0.01
        found = (low[0] or high[0], low[1], high[2])
        return tuple(name for name, at in zip(_SCALES, found, strict=True) if at)

    def log_errors(self, points: np.ndarray) -> np.ndarray:
        """log10 of the predicted errors (m, tasks); inf where the equations were not solved."""
        self.n_evaluations += len(points) * len(self.tasks)
        columns = []
        for task in self.tasks:
            found = FineTuning(task, self.network(points)).predict(self.alpha)
            good = (found.status == "ok") & (found.generalization_error > 0.0)
            columns.append(np.log10(np.where(good, found.generalization_error, np.inf)))
        return np.stack(np.broadcast_arrays(*columns), axis=-1)

    def refine(
        self, starts: np.ndarray, losses: np.ndarray, loss: Callable[[np.ndarray], np.ndarray]
    ) -> tuple[np.ndarray, float]:
        """The best end of Nelder-Mead runs from the ``_STARTS`` best points."""
        best, least = starts[int(np.argmin(losses))], float(losses.min())

        def objective(point: np.ndarray) -> float:
            return float(loss(self.log_errors(np.clip(point, self.low, self.high)[None, :]))[0])

        for index in np.argsort(losses)[:_STARTS]:
            found = minimize(
                objective,
                starts[index],
                method="Nelder-Mead",
                bounds=list(zip(self.low, self.high, strict=True)),
                options={
                    "xatol": 1e-3,
                    "fatol": 1e-6,
                    "maxfev": 250,
                    "initial_simplex": self._simplex(starts[index]),
                },
            )
            if found.fun < least:
                best, least = np.clip(found.x, self.low, self.high), float(found.fun)
        return best, least

    def _simplex(self, start: np.ndarray) -> np.ndarray:
        """The start and a step of half a decade inwards along each axis."""
        step = np.where(start + 0.5 > self.high, -0.5, 0.5)
        return np.vstack([start, start + np.diag(step)])


def _sensitivity(search: _Search, chosen: np.ndarray, errors: np.ndarray) -> dict[str, tuple[float, float]]:
    steps = np.array(
        [[chosen + sign * np.log10(2.0) * np.eye(3)[axis] for sign in (-1, 1)] for axis in range(3)]
    )
    steps = np.clip(steps, search.low, search.high)
    found = (search.log_errors(steps.reshape(-1, 3)) - errors).max(axis=1).reshape(3, 2)
    return {name: (float(row[0]), float(row[1])) for name, row in zip(_SCALES, found, strict=True)}
