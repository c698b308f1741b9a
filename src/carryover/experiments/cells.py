"""From a sweep to its cells: every spec is built and named before anything runs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carryover._core.errors import InputError
from carryover._core.strict import build
from carryover.experiments.compute import Cell, Compute
from carryover.experiments.identity import Contents, cell_id
from carryover.experiments.rows import parameter_columns
from carryover.experiments.spec import Assignment, SweepSpec, overlaid, read_sweep

if TYPE_CHECKING:
    from carryover.experiments.store import Store
    from carryover.experiments.sweep import FollowUp


_FEW = 64  # cells at once that take tens of milliseconds each


@dataclass(frozen=True)
class Command:
    """A command that can be swept: its spec and the spec's version, which keys hold paths, and what computes it.

    ``expand``: the sweep with what its config leaves to the command; ``follow_up``: what follows from all results.
    """

    spec_type: type
    version: int
    path_keys: tuple[str, ...]
    compute: Compute
    expand: Callable[[SweepSpec], SweepSpec] = lambda spec: spec
    follow_up: "Callable[[Store, Sequence[Cell]], FollowUp] | None" = None


@dataclass(frozen=True)
class SweepPlan:
    """A sweep that is ready to run: its cells, each once, in the order of the config, and what computes them.

    ``follow_up`` gives what is computed once they are done (:func:`carryover.experiments.sweep.run_plan`).
    """

    spec: SweepSpec
    cells: tuple[Cell, ...]
    compute: Compute
    follow_up: "Callable[[Store, Sequence[Cell]], FollowUp] | None" = None


def _theory() -> Command:
    from carryover.experiments import theory_cells as theory

    return Command(
        theory.TheoryCell, theory.SPEC_VERSION, (), Compute(theory.predict_one, theory.predict_many)
    )


def _pretrain() -> Command:
    from carryover.experiments.trained_cells import pretrain_one
    from carryover.pretraining.folder import PATH_KEYS
    from carryover.pretraining.specs import SPEC_VERSION, PretrainSpec

    return Command(PretrainSpec, SPEC_VERSION, PATH_KEYS, _trained(pretrain_one))


def _adapt() -> Command:
    from carryover.adaptation.config import PATH_KEYS
    from carryover.adaptation.specs import SPEC_VERSION, AdaptSpec
    from carryover.experiments.trained_cells import adapt_one

    return Command(AdaptSpec, SPEC_VERSION, PATH_KEYS, _trained(adapt_one))


def _diagnose() -> Command:
    from carryover.diagnosis.config import PATH_KEYS
    from carryover.diagnosis.specs import SPEC_VERSION, DiagnosisSpec
    from carryover.experiments.trained_cells import diagnose_one

    return Command(DiagnosisSpec, SPEC_VERSION, PATH_KEYS, _trained(diagnose_one))


def _features() -> Command:
    from carryover.diagnosis.config import PATH_KEYS
    from carryover.experiments.shards.extraction import extract_shard
    from carryover.experiments.shards.merging import merge_shards
    from carryover.experiments.shards.spec import SPEC_VERSION, FeaturesSpec, over_all_shards

    keys = (*PATH_KEYS, "part")
    return Command(FeaturesSpec, SPEC_VERSION, keys, _trained(extract_shard), over_all_shards, merge_shards)


def _trained(one: Callable[..., Any]) -> Compute:
    return Compute(one, leaves_folder=True, uses_torch=True)


# Looked up by name, so that a sweep of the theory loads no torch.
COMMANDS: Mapping[str, Callable[[], Command]] = {
    "theory": _theory,
    "pretrain": _pretrain,
    "adapt": _adapt,
    "diagnose": _diagnose,
    "features": _features,
}


def plan_sweep(config: str | Path | Mapping[str, Any]) -> SweepPlan:
    """The cells of a config file (or of the same tables as a mapping).

    Cells that say the same are one.  Raises InputError naming the cell where its spec cannot be built.
    """
    command_name = read_sweep(config).sweep.command
    command = COMMANDS[command_name]()
    spec = command.expand(read_sweep(config, path_keys=command.path_keys))
    assignments = spec.assignments()
    contents, cells, parts = Contents(), {}, _Parts(command.spec_type, spec)
    for place, (assignment, columns) in enumerate(
        zip(assignments, parameter_columns(assignments), strict=True)
    ):
        built = parts.build(assignment, f"cell {place + 1} of {len(assignments)}")
        ident = cell_id(
            command_name, built, version=command.version, path_keys=command.path_keys, contents=contents
        )
        cells.setdefault(ident, Cell(ident, built, columns))
    return SweepPlan(spec, tuple(cells.values()), _compute(command, cells), command.follow_up)


class _Parts:
    """Builds specs, each of their tables once for the same values laid over it.

    Thousands of cells have a few distinct tables: they are quicker to build, and to send to a worker, when they share
    them.
    """

    def __init__(self, spec_type: type, spec: SweepSpec) -> None:
        self._type, self._base = spec_type, spec.base
        heads = dict.fromkeys((*spec.base, *(key.split(".")[0] for key in spec.over)))
        self._keys = {head: [key for key in spec.over if key.split(".")[0] == head] for head in heads}
        self._known: dict[Any, Any] = {}

    def build(self, assignment: Assignment, where: str) -> Any:
        """The spec of one cell; InputError says which where it cannot be built."""
        tables, new = {}, {}
        try:
            for head, keys in self._keys.items():
                values = {key: assignment[key] for key in keys}
                name = (head, repr(values))
                if name in self._known:
                    tables[head] = self._known[name]
                    continue
                new[head] = name
                tables |= overlaid({head: self._base[head]} if head in self._base else {}, values)
            built = build(self._type, tables)
        except InputError as error:
            said = ", ".join(f"{key} = {value!r}" for key, value in assignment.items())
            raise InputError(f"{where}{f' ({said})' if said else ''}: {error}") from error
        self._known |= {name: getattr(built, head) for head, name in new.items()}
        return built


def _compute(command: Command, cells: Mapping[str, Cell]) -> Compute:
    """Cells that simulate take long, each in its own time: they are not put together.  Few are whose pretraining was
    imperfect: each takes a hundred times as long as others.
    """
    specs = [cell.spec for cell in cells.values()]
    if any(getattr(spec, "simulate", None) is not None for spec in specs):
        return Compute(command.compute.one)
    if any(getattr(spec, "pretraining_alpha", 1.0) < 1.0 for spec in specs):
        return replace(command.compute, at_most=_FEW)
    return command.compute
