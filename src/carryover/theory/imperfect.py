"""The law that fine-tuning meets when pretraining saw too few samples: what it learned is itself random."""

import numpy as np

from carryover._core.errors import InputError
from carryover.theory.averages import Cells, estimate_nodes
from carryover.theory.networks import Network
from carryover.theory.priors import MixedTask, Mixture, Task
from carryover.theory.replica import Problems, solve_fixed_point

_NODES = 512  # values that stand for the law of what was learned; 128 cost up to 3e-4 of the error


def finetuning_law(
    task: Task | MixedTask, network: Network, pretraining_alpha: float
) -> tuple[Mixture, np.ndarray]:
    """The mixture as fine-tuning meets it, and what pretraining should have learned in each of its groups.

    From pretraining_alpha = 1 on these are the task's groups; below, each is split by what pretraining made of it.
    Raises InputError there for a task or a network of arrays.
    """
    mixture = task.mixture
    target = np.broadcast_to(mixture.pretraining, mixture.share.shape)
    if pretraining_alpha >= 1.0:
        return mixture, target
    split = _split_by_estimate(mixture, network, pretraining_alpha)
    return split, np.repeat(target, len(split.name) // len(mixture.name))


def _split_by_estimate(mixture: Mixture, network: Network, alpha: float) -> Mixture:
    """The mixture with every group split by the coefficient that pretraining learned from alpha samples per dimension.

    Pretraining's own potential has sqrt k = 2 c; its estimate is the prox of the replica observation X + s V.
    """
    if mixture.share.ndim > 1 or np.ndim(network.scale):
        raise InputError("pretraining_alpha < 1 needs a task and a network of single numbers, got arrays")
    learned = mixture.pretraining
    cells = Cells(
        np.full(len(learned), 2.0 * float(network.scale)),
        learned,
        np.zeros(len(learned)),
        np.zeros(len(learned)),
    )
    kept = mixture.share > 0.0
    problem = Problems(
        np.array([alpha]),
        np.zeros(1),
        np.zeros(1),
        cells.take(kept),
        mixture.share[kept],
        np.zeros(kept.sum(), int),
    )
    solved = solve_fixed_point(problem)
    if not solved.converged[0]:
        raise InputError(
            f"pretraining_alpha = {alpha:g}: the equations of pretraining itself were not solved"
        )
    ones = np.ones(len(learned))
    values, weights = estimate_nodes(cells, solved.noise * ones, solved.strength * ones, _NODES)
    n_values = values.shape[1]
    return Mixture(
        share=(mixture.share[:, None] * weights).ravel(),
        mean=np.repeat(mixture.mean, n_values),
        variance=np.repeat(mixture.variance, n_values),
        pretraining=values.ravel(),
        name=tuple(np.repeat(mixture.name, n_values)),
    )
