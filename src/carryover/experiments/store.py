"""Rows in a folder that several machines may share: one segment a batch, whole or not there, never changed."""

import json
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carryover._core.errors import InputError
from carryover.data.atomic import written_whole
from carryover.experiments.rows import OWN, Columns, Row

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA = "carryover.sweep/1"
SWEEP, ROWS, RUNS = "sweep.json", "rows", "runs"
_META = b"carryover"


@dataclass(frozen=True)
class Segment:
    """The name of a segment: its batch, how many rows it has and how many of them failed, and who wrote it."""

    batch: str
    n: int
    n_failed: int
    writer: str

    @property
    def name(self) -> str:
        return f"{self.batch}-{self.n}-{self.n_failed}-{self.writer}.parquet"

    @classmethod
    def parse(cls, name: str) -> "Segment | None":
        """None for a file that is no segment."""
        parts = name.removesuffix(".parquet").split("-")
        if not name.endswith(".parquet") or name.startswith(".") or len(parts) != 4:
            return None
        batch, n, n_failed, writer = parts
        return cls(batch, int(n), int(n_failed), writer) if n.isdecimal() and n_failed.isdecimal() else None


@dataclass(frozen=True)
class Rows:
    """All rows of a store, one for each id, in the order of ids; and which columns vary.

    ``threads``: the numbers of threads that rows were computed with.
    """

    table: "pa.Table"
    parameters: tuple[str, ...]
    threads: tuple[int, ...]

    @cached_property
    def status(self) -> dict[str, str]:
        """By id, "ok" or "failed"."""
        ids, states = (self.table.column(name).to_pylist() for name in ("id", "status"))
        return dict(zip(ids, states, strict=True))


@dataclass(frozen=True)
class Store:
    """The folder of a sweep: sweep.json, rows/, and runs/ for cells that leave folders."""

    folder: Path

    def write(self, columns: Columns, *, batch: str, environment: Mapping[str, Any]) -> str:
        """A segment with the rows of these columns, whole or not at all; its name, which no other writer takes."""
        import pyarrow as pa

        return self.write_table(pa.table(dict(columns)), batch=batch, environment=environment)

    def write_table(self, table: "pa.Table", *, batch: str, environment: Mapping[str, Any]) -> str:
        """As :meth:`write`, of rows that are a table already."""
        import pyarrow.parquet as pq

        table = table.replace_schema_metadata({_META: json.dumps(dict(environment)).encode()})
        n_failed = table.column("status").to_pylist().count("failed")
        segment = Segment(batch, len(table), n_failed, uuid.uuid4().hex[:12])
        with written_whole(self.folder / ROWS / segment.name) as path:
            pq.write_table(table, path, use_dictionary=False, write_statistics=False)
        return segment.name

    def segments(self) -> list[Segment]:
        """Every segment that is there, in the order of their names."""
        names = sorted(path.name for path in (self.folder / ROWS).iterdir())
        return [found for name in names if (found := Segment.parse(name)) is not None]

    def written(self, batch: str) -> list[Segment]:
        """The segments of one batch."""
        with os.scandir(self.folder / ROWS) as there:
            names = [entry.name for entry in there if entry.name.startswith(batch)]
        return [found for name in names if (found := Segment.parse(name)) is not None]

    def read(self, columns: Sequence[str] | None = None) -> Rows:
        """The union of all segments, whatever their order; of an id that failed and later did not, the latter.

        ``columns``: only these.  Raises InputError where two segments disagree on a row, and for a damaged one.
        """
        import pyarrow as pa

        try:
            loaded = [(segment.name, *self.load(segment, columns)) for segment in self.segments()]
        except FileNotFoundError:  # put together with others meanwhile
            return self.read(columns)
        if not loaded:
            empty = pa.table({name: pa.array([], pa.string()) for name in OWN})
            return Rows(empty, (), ())
        notes = [note for _, _, note in loaded]
        try:
            whole = together([table for _, table, _ in loaded])
        except pa.ArrowException as error:
            raise InputError(f"the rows in {self.folder} do not fit together: {error}") from error
        origin = [name for name, table, _ in loaded for _ in range(len(table))]
        parameters = sorted({name for note in notes for name in note["parameters"]})
        kept = _one_each(whole, origin, parameters)
        return Rows(whole.take(kept), tuple(parameters), tuple(sorted({note["threads"] for note in notes})))

    def load(
        self, segment: Segment, columns: Sequence[str] | None = None
    ) -> tuple["pa.Table", dict[str, Any]]:
        """The rows of a segment, and what was noted beside them: parameters, threads, environment.

        Raises InputError for a damaged segment, FileNotFoundError for one that is gone.
        """
        table = _read_segment(self.folder / ROWS / segment.name, columns)
        return table.replace_schema_metadata(None), json.loads(table.schema.metadata[_META])

    def run_folder(self, ident: str) -> Path:
        """Where a cell leaves its files."""
        return self.folder / RUNS / ident


def open_store(folder: str | Path, *, command: str, sweep: Any = None) -> Store:
    """The store in ``folder``, made where there is none; ``sweep``: the config, kept to be read by people.

    A folder may hold the cells of several sweeps of one command.  Raises InputError for a folder that cannot be made,
    that holds something else, or cells of another command.
    """
    root = Path(folder).expanduser()
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{root} cannot be made or is no folder ({error}): name another one") from error
    if (root / SWEEP).exists():
        there = read_sweep_record(root)["command"]
        if there != command:
            raise InputError(f"{root} holds a sweep of {there!r}, not of {command!r}: name another folder")
    elif any(not path.name.startswith(".") for path in root.iterdir()):
        raise InputError(f"{root} is not empty and holds no sweep: name another folder")
    record = {"schema": SCHEMA, "command": command, "sweep": sweep}
    with written_whole(root / SWEEP, overwrite=True) as path:
        path.write_text(json.dumps(record, indent=1), encoding="utf-8")
    (root / ROWS).mkdir(exist_ok=True)
    return Store(root)


def existing_store(folder: str | Path) -> Store:
    """The store in ``folder``; InputError where there is none."""
    root = Path(folder).expanduser()
    if not (root / SWEEP).is_file():
        raise InputError(f"{root} holds no sweep: it has no {SWEEP}. carryover sweep makes one")
    read_sweep_record(root)
    (root / ROWS).mkdir(exist_ok=True)
    return Store(root)


def read_sweep_record(folder: Path) -> dict[str, Any]:
    """What sweep.json holds; InputError where it is damaged or of another version."""
    try:
        record = json.loads((folder / SWEEP).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / SWEEP} cannot be read: {error}") from error
    if not isinstance(record, dict) or record.get("schema") != SCHEMA or "command" not in record:
        raise InputError(f"{folder / SWEEP} is not the record of a sweep of this version")
    return record


def together(tables: "Sequence[pa.Table]") -> "pa.Table":
    """All rows, with the columns of all; raises ArrowException where a column is text here and a number there."""
    import pyarrow as pa

    return pa.concat_tables(tables, promote_options="permissive")


def _read_segment(path: Path, columns: Sequence[str] | None) -> "pa.Table":
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            table = file.read(columns=None if columns is None else list(columns), use_threads=False)
            table = table.replace_schema_metadata(file.schema_arrow.metadata)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{path} is damaged ({error}): remove it, and its cells are computed again"
        ) from error
    if _META not in (table.schema.metadata or {}):
        raise InputError(f"{path} is no segment of a sweep: move it elsewhere")
    return table


def _one_each(table: "pa.Table", origin: Sequence[str], parameters: Sequence[str]) -> list[int]:
    """The place of one row for each id, by id; a row with a result before one that failed."""
    ids, states = (table.column(name).to_pylist() for name in ("id", "status"))
    places: dict[str, list[int]] = {}
    for place, ident in enumerate(ids):
        places.setdefault(ident, []).append(place)
    kept = []
    for ident in sorted(places):
        found = places[ident]
        done = [place for place in found if states[place] == "ok"]
        if len(done) > 1:
            rows = {origin[place]: table.slice(place, 1).to_pylist()[0] for place in done}
            _check_agree(ident, rows, parameters)
        kept.append(_first(table, done or found, parameters))
    return kept


def _first(table: "pa.Table", places: Sequence[int], parameters: Sequence[str]) -> int:
    """A choice that does not depend on the order of segments: where most is said of what varies."""
    if len(places) == 1:
        return places[0]

    def rank(place: int) -> tuple[int, str]:
        row = table.slice(place, 1).to_pylist()[0]
        return sum(row.get(name) is None for name in parameters), json.dumps(row, sort_keys=True)

    return min(places, key=rank)


def _check_agree(ident: str, rows: Mapping[str, Row], parameters: Sequence[str]) -> None:
    """Results must be the same; what varies may be named otherwise, as a folder that moved is."""
    (first_name, first), *others = rows.items()
    for name, row in others:
        for key in first.keys() - set(parameters):
            if json.dumps(first[key]) != json.dumps(row[key]):
                raise InputError(
                    f"two rows of the cell {ident[:12]} disagree on {key}: {first[key]!r} in {first_name}, "
                    f"{row[key]!r} in {name}. They were computed with other versions or threads: remove one file"
                )
