"""Shards put together: which models have all of theirs, their sums added, and their features as one folder."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

from carryover._core.config import spec_as_table
from carryover._core.errors import InputError
from carryover.data.atomic import folder_written_whole, written_whole
from carryover.experiments.compute import Cell, Compute
from carryover.experiments.identity import cell_id
from carryover.experiments.rows import Row
from carryover.experiments.shards.errors import SPEC_VERSION, ErrorsSpec, shard_errors
from carryover.experiments.shards.spec import FEATURES, SUMS
from carryover.experiments.shards.sums import ShardSums
from carryover.experiments.store import RUNS, Store, open_store
from carryover.experiments.sweep import FollowUp

MODELS, MERGED, FOLDERS, ERRORS = "models", "sums", "features", "errors"
ERRORS_COMMAND = "errors of shards"


@dataclass(frozen=True)
class MergedModel:
    """A model with all its shards: their ids in the order of the rows, and whether their features were kept.

    ``hashes``: of the features of each shard; ``sums_hash``: of the file of the sums over all rows.
    """

    name: str
    shards: tuple[str, ...]
    hashes: tuple[str, ...]
    has_features: bool
    sums_hash: str

    def error_cells(self, store: Store) -> list[Cell]:
        """The second look at each shard."""
        sums = str(store.folder / MERGED / f"{self.name}.npz")
        return [
            Cell(
                cell_id(ERRORS_COMMAND, {"sums": self.sums_hash, "features": found}, version=SPEC_VERSION),
                ErrorsSpec(sums, str(store.run_folder(ident) / FEATURES)),
                {"model": self.name, "shard": place},
            )
            for place, (ident, found) in enumerate(zip(self.shards, self.hashes, strict=True))
        ]


def merge_shards(store: Store, cells: Sequence[Cell]) -> FollowUp:
    """Add up the sums of every model of the sweep that has all its shards, and gather its features in a folder.

    Writes sums/NAME.npz, features/NAME/ (links into runs/) and models/NAME.json, and gives the cells of the second look
    at the rows.  A model that lacks shards is left out, and a note says which.
    """
    rows = {row["id"]: row for row in store.read().table.to_pylist()}
    notes, found = [], []
    for group in _groups(cells):
        n_all = group[0].spec.shards * len({cell.spec.data.part for cell in group})
        if len(group) < n_all:
            notes.append(
                f"The sweep names {len(group)} of the {n_all} shards of {_label(group)}: nothing is put together."
            )
            continue
        done = [rows[cell.id] for cell in group if rows.get(cell.id, {}).get("status") == "ok"]
        if len(done) < len(group):
            notes.append(
                f"{len(group) - len(done)} of {len(group)} shards of {_label(group)} have no sums yet."
            )
            continue
        try:
            found.append(_merged(store, group, done))
        except InputError as error:
            notes.append(f"The shards of {_label(group)} do not add up: {error}")
    looked_at = [model for model in found if model.has_features]
    notes += [f"Features of {model.name}: {store.folder / FOLDERS / model.name}" for model in looked_at]
    return FollowUp(
        open_store(store.folder / ERRORS, command=ERRORS_COMMAND),
        tuple(cell for model in looked_at for cell in model.error_cells(store)),
        Compute(shard_errors),
        tuple(notes),
    )


def merged_models(store: Store) -> list[MergedModel]:
    """The models whose shards were put together, by name."""
    found = [_read(path) for path in (store.folder / MODELS).glob("[!.]*.json")]
    return sorted(found, key=lambda model: model.name)


def merged_sums(store: Store, model: MergedModel) -> ShardSums:
    """The sums over all rows of a model."""
    return ShardSums.load(store.folder / MERGED / f"{model.name}.npz")


def _groups(cells: Sequence[Cell]) -> list[list[Cell]]:
    """The cells of each model on one data set, in the order of its rows."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        alike = replace(cell.spec, shard=0, data=replace(cell.spec.data, path="", part=None))
        key = json.dumps([spec_as_table(alike), cell.spec.data.path], sort_keys=True)
        groups.setdefault(key, []).append(cell)
    return [
        sorted(group, key=lambda cell: (cell.spec.data.part or "", cell.spec.shard))
        for group in groups.values()
    ]


def _merged(store: Store, group: Sequence[Cell], rows: Sequence[Row]) -> MergedModel:
    for key, what in (("weights_hash", "other weights"), ("images", "images of another size")):
        if len({row[key] for row in rows}) > 1:
            raise InputError(f"some have {what}")
    folders = [store.run_folder(cell.id) for cell in group]
    sums = reduce(ShardSums.merge, (ShardSums.load(folder / SUMS) for folder in folders))
    shards = tuple(cell.id for cell in group)
    name = _free_name(store, rows[0]["model_name"], shards)
    for folder in (MODELS, MERGED, FOLDERS):
        (store.folder / folder).mkdir(exist_ok=True)
    path = store.folder / MERGED / f"{name}.npz"
    sums.save(path)
    has_features = group[0].spec.keep_features
    if has_features:
        _link(store.folder / FOLDERS / name, shards)
    model = MergedModel(
        name,
        shards,
        tuple(row["features_hash"] for row in rows),
        has_features,
        hashlib.sha256(path.read_bytes()).hexdigest(),
    )
    with written_whole(_record(store, name), overwrite=True) as partial:
        partial.write_text(json.dumps(vars(model), indent=1), encoding="utf-8")
    return model


def _link(folder: Path, shards: Sequence[str]) -> None:
    """A folder with the shards' features in order; relative, so that the sweep's folder may move."""
    wanted = {f"{place:05d}.npz": f"../../{RUNS}/{ident}/{FEATURES}" for place, ident in enumerate(shards)}

    def is_there() -> bool:
        return folder.is_dir() and {path.name: str(path.readlink()) for path in folder.iterdir()} == wanted

    if is_there():
        return
    try:
        with folder_written_whole(folder) as partial:
            for name, target in wanted.items():
                (partial / name).symlink_to(target)
    except OSError:  # another driver may have made it meanwhile
        if not is_there():
            raise


def _free_name(store: Store, name: str, shards: Sequence[str]) -> str:
    """The model's name as one of files; with a hash where another model, or the same on other rows, has it already."""
    plain = re.sub(r"[^\w.-]+", "-", name).strip(".-") or "model"
    path = _record(store, plain)
    if not path.exists() or _read(path).shards == tuple(shards):
        return plain
    return f"{plain}-{hashlib.sha256(' '.join(shards).encode()).hexdigest()[:8]}"


def _record(store: Store, name: str) -> Path:
    return store.folder / MODELS / f"{name}.json"


def _read(path: Path) -> MergedModel:
    try:
        record: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return MergedModel(**{**record, "shards": tuple(record["shards"]), "hashes": tuple(record["hashes"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} cannot be read ({error}): remove it and sweep again") from error


def _label(group: Sequence[Cell]) -> str:
    model = group[0].spec.model
    return model.name or str(getattr(model, model.kind))
