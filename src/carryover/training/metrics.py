"""Metrics of a run as JSON lines, cut back to the checkpoint when the run is taken up again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from carryover._core.errors import InputError
from carryover.data.atomic import naming_a_full_disk, written_whole

METRICS = "metrics.jsonl"


class MetricsFile:
    """``metrics.jsonl``: one object a line, each with its ``step``; lines reach the disk as they are written."""

    def __init__(self, path: Path, *, resume_after: int | None = None) -> None:
        """With ``resume_after`` the lines of later steps (a run killed between checkpoints) are dropped first; ``kept``
        are those before it."""
        self.path = Path(path)
        rows = [] if resume_after is None else read_metrics(self.path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.kept = [row for row in rows if row["step"] <= resume_after]
        with written_whole(self.path, overwrite=True) as partial:
            partial.write_text("".join(map(_line, self.kept)), encoding="utf-8")
        self._stream = self.path.open("a", encoding="utf-8")

    def write(self, row: Mapping[str, Any]) -> None:
        """Append a row; DiskFullError where no space is left."""
        with naming_a_full_disk(self.path):
            self._stream.write(_line(row))
            self._stream.flush()

    def close(self) -> None:
        with naming_a_full_disk(self.path):
            self._stream.close()


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, allow_nan=False) + "\n"


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a metrics file, [] where there is none; a last line cut short by a kill is left out."""
    path = Path(path)
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            if number == len(lines):
                break
            raise InputError(f"line {number} of {path} is not JSON: {error}") from error
    return rows
