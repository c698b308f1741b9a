"""A batch of fine-tuning problems: numbers that broadcast become flat replica problems with the cells they need."""

from dataclasses import dataclass, replace

import numpy as np

from carryover.theory.averages import Cells
from carryover.theory.imperfect import finetuning_law
from carryover.theory.networks import Network
from carryover.theory.priors import MixedTask, Task
from carryover.theory.replica import FixedPoint, Problems, solve_fixed_point

_CHUNK = 2048  # scalar problems solved at once: those with as many nodes share their calls; more is no faster


@dataclass(frozen=True)
class Batch:
    """All problems of one call, flat, with the cells that are not empty."""

    shape: tuple[int, ...]
    alpha: np.ndarray
    noise_variance: np.ndarray
    known: np.ndarray
    ridge_strength: float
    cells: Cells
    share: np.ndarray
    owner: np.ndarray
    group: np.ndarray
    group_names: tuple[str, ...]
    pretraining: np.ndarray

    @property
    def size(self) -> int:
        return len(self.alpha)

    @classmethod
    def of(
        cls,
        task: Task | MixedTask,
        network: Network,
        alpha: np.ndarray,
        *,
        ridge_strength: float,
        pretraining_alpha: float,
    ) -> "Batch":
        """Every combination that the broadcast of ``alpha`` with the task's and network's numbers makes."""
        mixture, target = finetuning_law(task, network, pretraining_alpha)
        spread = replace(
            network,
            **{
                name: np.asarray(getattr(network, name))[..., None]
                for name in ("scale", "relative_scale", "readout")
            },
        )
        sqrt_k, start = spread.sqrt_k(mixture.pretraining), spread.start(mixture.pretraining)
        noise = np.asarray(task.label_noise_std, dtype=np.float64) ** 2
        shape = np.broadcast_shapes(alpha.shape, noise.shape, mixture.share.shape[:-1], sqrt_k.shape[:-1])
        flat = {}
        for name, values in (
            ("share", mixture.share),
            ("mean", mixture.mean),
            ("variance", mixture.variance),
            ("sqrt_k", sqrt_k),
            ("origin", np.arcsinh(2.0 * start / sqrt_k)),
            ("target", target),
        ):
            flat[name] = np.broadcast_to(values, (*shape, len(mixture.name))).reshape(-1)
        used = np.flatnonzero(flat["share"] > 0.0)
        owner, column = np.divmod(used, len(mixture.name))
        names = tuple(dict.fromkeys(mixture.name))
        alpha = np.broadcast_to(alpha, shape).ravel()
        return cls(
            shape=shape,
            alpha=alpha,
            noise_variance=np.broadcast_to(noise, shape).ravel(),
            known=(alpha >= 1.0) & (ridge_strength == 0.0),
            ridge_strength=ridge_strength,
            cells=Cells(*(flat[name][used] for name in ("sqrt_k", "mean", "variance", "origin"))),
            share=flat["share"][used],
            owner=owner,
            group=np.array([names.index(name) for name in mixture.name])[column],
            group_names=names,
            pretraining=flat["target"][used],
        )

    @property
    def problems(self) -> Problems:
        strength = np.full(self.size, float(self.ridge_strength))
        return Problems(self.alpha, self.noise_variance, strength, self.cells, self.share, self.owner)

    def solve(self) -> FixedPoint:
        """The fixed points; problems whose error is known stay at 0."""
        n, whole = self.size, self.problems
        out = FixedPoint(
            np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n, dtype=int), np.ones(n, dtype=bool)
        )
        asked = np.flatnonzero(~self.known)
        per_chunk = max(1, _CHUNK * n // max(1, len(self.owner)))
        for begin in range(0, len(asked), per_chunk):
            rows = asked[begin : begin + per_chunk]
            found = solve_fixed_point(whole.take(rows))
            for name in ("noise", "strength", "error", "residual", "steps", "converged"):
                getattr(out, name)[rows] = getattr(found, name)
        return out
