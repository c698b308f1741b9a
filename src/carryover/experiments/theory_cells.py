"""Cells of the theory: the predicted error at one alpha, order, pretraining dependence, and perhaps a simulation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from carryover.experiments.compute import Cell
from carryover.experiments.identity import cell_id
from carryover.experiments.rows import Columns, Row, Scalar, estimate_columns
from carryover.theory import FineTuning, Network, Prediction, Task, simulate
from carryover.theory.checks import check_number

SPEC_VERSION = 1


@dataclass(frozen=True)
class SimulateSpec:
    """[simulate]: finite tasks of so many coordinates, and how many of them; see ``carryover theory simulate``."""

    dimension: int = 1000
    seeds: int = 16


@dataclass(frozen=True)
class TheoryCell:
    """One prediction at ``alpha`` samples per dimension; ``seed`` of the simulation, where there is one."""

    alpha: float
    task: Task = field(default_factory=Task)
    network: Network = field(default_factory=Network)
    ridge_strength: float = 0.0
    pretraining_alpha: float = math.inf
    simulate: SimulateSpec | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_number("alpha", self.alpha, 0.0, math.inf, open_low=True)
        self.model  # noqa: B018  checks the strengths

    @property
    def model(self) -> FineTuning:
        return FineTuning(self.task, self.network, self.ridge_strength, self.pretraining_alpha)


def labelled_cell(cell: TheoryCell, labels: Row) -> Cell:
    """The cell of a sweep, of the same id as that of ``carryover sweep``, with ``labels`` as its parameters."""
    return Cell(cell_id("theory", cell, version=SPEC_VERSION), cell, labels)


def predict_one(cell: TheoryCell, _: Path | None = None) -> Row:
    """generalization_error, effective noise and regularisation, order, pretraining_dependence and regime; with
    ``simulate`` the mean simulated error, too.
    """
    row = {name: value for name, (value,) in _columns(cell.model, np.array([cell.alpha])).items()}
    if cell.simulate is None:
        return row
    found = simulate(
        cell.model, cell.alpha, dimension=cell.simulate.dimension, seeds=cell.simulate.seeds, seed=cell.seed
    )
    return row | estimate_columns("simulated_error", found.estimate)


def predict_many(cells: Sequence[TheoryCell]) -> Columns:
    """The results of cells without simulation, solved together where they differ in numbers only."""
    columns: dict[str, list[Scalar]] = {}
    alike: dict[Any, list[int]] = {}
    for place, cell in enumerate(cells):
        # Imperfect pretraining is solved for one task at a time.
        alone = place if cell.pretraining_alpha < 1.0 else None
        key = (cell.task.teacher, cell.network.protocol, cell.ridge_strength, cell.pretraining_alpha, alone)
        alike.setdefault(key, []).append(place)
    for places in alike.values():
        first = cells[places[0]]
        together = FineTuning(
            _stacked(Task, [cells[place].task for place in places]),
            _stacked(Network, [cells[place].network for place in places]),
            first.ridge_strength,
            first.pretraining_alpha,
        )
        model = together if len(places) > 1 else first.model
        alphas = np.array([cells[place].alpha for place in places])
        for name, values in _columns(model, alphas).items():
            column = columns.setdefault(name, [None] * len(cells))
            for place, value in zip(places, values, strict=True):
                column[place] = value
    return columns


def _stacked(cls: type, parts: Sequence[Any]) -> Any:
    """Tasks or networks that differ in numbers only as one of arrays."""
    given = {}
    for one in fields(cls):
        values = [getattr(part, one.name) for part in parts]
        given[one.name] = values[0] if isinstance(values[0], str) else np.array(values)
    return cls(**given)


def _columns(model: FineTuning, alphas: np.ndarray) -> dict[str, list[Scalar]]:
    """A number that has not converged is None, with its reason."""
    found: Prediction = model.predict(alphas)
    ok = np.broadcast_to(found.status == "ok", alphas.shape).tolist()
    numbers = {
        "generalization_error": found.generalization_error,
        "effective_noise": found.effective_noise,
        "effective_regularization": found.effective_regularization,
    }
    return {
        "status": _listed(found.status, alphas),
        "reason": [reason or None for reason in _listed(found.reason, alphas)],
        **{
            name: [value if good else None for value, good in zip(_listed(values, alphas), ok, strict=True)]
            for name, values in numbers.items()
        },
        "order": _listed(model.order, alphas),
        "pretraining_dependence": _listed(model.pretraining_dependence, alphas),
        "regime": _listed(model.regime, alphas),
    }


def _listed(values: object, alphas: np.ndarray) -> list[Any]:
    return np.broadcast_to(values, alphas.shape).tolist()
