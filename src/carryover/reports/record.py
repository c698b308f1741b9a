"""report.json: checked against the schema, written strictly and atomically, read back with a version check."""

import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from carryover._core.errors import DiskFullError, InputError
from carryover.reports.schema import SCHEMA, record_check

_TASKS = ("classification", "regression")


def _check_schema_name(record: Any) -> None:
    found = record.get("schema") if isinstance(record, Mapping) else None
    if found == SCHEMA:
        return
    if isinstance(found, str) and found.startswith("carryover.diagnosis/"):
        raise InputError(
            f"record.schema is {found!r}, this version of carryover reads {SCHEMA!r}: "
            "read it with the version named in record.carryover_version, or run the diagnosis again"
        )
    raise InputError(f"record.schema must be {SCHEMA!r}, got {found!r}: this is not a carryover diagnosis")


def _check_names(record: Mapping[str, Any]) -> None:
    names = [model["name"] for model in record["models"]]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"record.models: names must be unique, repeated: {', '.join(repeated)}")
    for part, key in (("ranking", "name"), ("verdicts", "model")):
        for index, row in enumerate(record[part]):
            if row[key] not in names:
                raise InputError(f"record.{part}[{index}].{key} names no model of the record: {row[key]!r}")


def _check_all_bounds(record: Mapping[str, Any]) -> None:
    for index, model in enumerate(record["models"]):
        if model.get("all_bounds") and "all_bounds_of" not in record:
            raise InputError(
                f"record.all_bounds_of is missing: record.models[{index}].all_bounds needs it, "
                "it says what the bounds were computed from"
            )


def check_record(record: Mapping[str, Any]) -> None:
    """Check a diagnosis record against the schema ``carryover.diagnosis/1`` (docs/report_schema.md).

    Keys the schema does not know are permitted if strict JSON can hold them; NaN and infinity never are.

    Raises:
        InputError: naming the path of the first offending field, for example ``record.models[0].probe.penalty``.
    """
    _check_schema_name(record)
    data = record.get("data")
    target = data.get("target") if isinstance(data, Mapping) else None
    task = target.get("task") if isinstance(target, Mapping) else None
    record_check(task if task in _TASKS else _TASKS[0])(record, "")
    _check_names(record)
    _check_all_bounds(record)


@contextmanager
def naming_full_disk(path: Path) -> Iterator[None]:
    """Turn "no space left" and "quota exceeded" into DiskFullError naming the path; other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            message = f"no space left while writing {path}: free some and run again"
            raise DiskFullError(error.errno, message) from error
        raise


def write_text_atomically(path: Path, text: str) -> None:
    """Write ``text`` beside ``path`` and move it into place, so that the file is whole or absent.

    Raises:
        DiskFullError: when no space is left; the part that was written is removed.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with naming_full_disk(path), partial.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def strict_json(record: Mapping[str, Any]) -> str:
    """A record as strict JSON: keys in its own order, no NaN, a newline at the end."""
    return json.dumps(record, allow_nan=False, ensure_ascii=False, indent=1) + "\n"


def write_record(record: Mapping[str, Any], path: Path) -> None:
    """Check a record and write it as strict JSON (UTF-8, keys in the schema's order, no NaN), atomically."""
    check_record(record)
    write_text_atomically(Path(path), strict_json(record))


def _refuse_constant(name: str) -> None:
    raise InputError(f"{name} is not JSON")


def read_record(path: Path) -> dict[str, Any]:
    """Read and check a report.json.

    Raises:
        InputError: when the file is missing, is not strict JSON, has another schema, or a field is wrong.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(
            f"no report at {path}: `carryover diagnose` writes report.json into its --out folder"
        )
    try:
        record = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
        check_record(record)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as a diagnosis: {error}") from error
    return record
