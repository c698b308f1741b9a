"""Metrics of a run as JSON lines, cut back to the checkpoint when the run is taken up again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from carryover._core.errors import InputError


class MetricsFile:
    """``metrics.jsonl``: one object a line, each with its ``step``; lines reach the disk as they are written."""

    def __init__(self, path: Path, *, resume_after: int | None = None) -> None:
        """With ``resume_after`` the lines of later steps (a run killed between checkpoints) are dropped first."""
        self.path = Path(path)
        kept = (
            [] if resume_after is None else [row for row in read_metrics(path) if row["step"] <= resume_after]
        )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = self.path.open("w", encoding="utf-8")
        for row in kept:
            self.write(row)

    def write(self, row: Mapping[str, Any]) -> None:
        self._stream.write(json.dumps(row, allow_nan=False) + "\n")
        self._stream.flush()

    def close(self) -> None:
        self._stream.close()


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
