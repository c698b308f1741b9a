"""What pretraining did to the complexity that its features induce on the downstream pool: RadReg before and after."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from carryover._core.seeding import derive_seed
from carryover.objectives.base import Objective
from carryover.objectives.building import build_objective
from carryover.objectives.pool import pool_penalty
from carryover.objectives.radreg import HEADS
from carryover.objectives.regularizers import Regularizer
from carryover.pretraining.data import ImageSet, RunData
from carryover.pretraining.specs import PretrainSpec

N_DRAWS, BATCH = 100, 256


def radreg_of_pool(objective: Objective, spec: PretrainSpec, data: RunData) -> dict[str, Any] | None:
    """RadReg of the whole pool under the run's first weights and under those of ``objective``; None without a pool.

    On whole images, as a head will see them, with the same signs before and after; the head class is the run's where
    it was regularised by RadReg with linear heads, else that of the defaults, so that runs with and without it can
    be compared.
    """
    if data.downstream is None:
        return None
    if spec.regularizer.kind == "radreg" and spec.regularizer.head in HEADS:
        regularizer = dataclasses.replace(spec.regularizer, view="whole", n_draws=N_DRAWS)
    else:
        regularizer = Regularizer("radreg", n_draws=N_DRAWS)
    first = build_objective(spec.objective, data.train.size, mean=data.mean, std=data.std, seed=spec.seed)
    first.to(data.downstream.pixels.device)
    seed = derive_seed(spec.seed, "pool report") % 2**63
    return {
        name: dataclasses.asdict(pool_penalty(regularizer, one, _batches(data.downstream), seed=seed))
        for name, one in (("before", first), ("after", objective))
    }


def _batches(pool: ImageSet) -> Iterator[tuple[Tensor, Tensor]]:
    for rows in torch.arange(len(pool), device=pool.pixels.device).split(BATCH):
        yield pool.floats(rows), rows
