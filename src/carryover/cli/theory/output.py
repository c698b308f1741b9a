"""What the subcommands of ``carryover theory`` print and write."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from carryover._core.errors import InputError


class OutputFolder:
    """Files of one folder, none of which may be there before the work starts."""

    def __init__(self, folder: Path, names: Sequence[str], overwrite: bool) -> None:
        self.folder, self.written = folder, []
        existing = [str(folder / name) for name in names if (folder / name).exists()]
        if folder.exists() and not folder.is_dir():
            raise InputError(f"the output folder {folder} is a file: name another with --out")
        if existing and not overwrite:
            raise InputError(
                f"already there: {', '.join(existing)}. Choose another --out, or replace them with --overwrite"
            )

    def table(self, name: str, table: Any) -> None:
        from carryover.reports.record import naming_full_disk, write_text_atomically

        with naming_full_disk(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_text_atomically(self.folder / name, table.to_csv(index=False))
        self.written.append(self.folder / name)

    def figure(self, name: str, figure: Any) -> None:
        from carryover.reports.theory_figures import save_figure

        self.written.append(save_figure(figure, self.folder / name, overwrite=True))

    def say(self) -> None:
        for path in self.written:
            print(path)


def number(value: Any) -> str:
    """Six digits; nothing for None and NaN."""
    return "" if value is None or value != value else f"{float(value):.6g}"


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str | None = None) -> None:
    from rich.console import Console
    from rich.table import Table

    table, console = Table(box=None, pad_edge=False), Console()
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place == 0 or column == "status" else "right")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    if caption is not None:  # not the table's own caption, which is folded to the table's width
        console.print(caption, markup=False, highlight=False, soft_wrap=True)


def print_json(record: Mapping[str, Any]) -> None:
    """One line of JSON; what is not finite becomes null."""

    def plain(value: Any) -> Any:
        if hasattr(value, "tolist"):
            value = value.tolist()
        if isinstance(value, Mapping):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(item) for item in value]
        if isinstance(value, float) and not math.isfinite(value):
            return None
        return value

    print(json.dumps(plain(record), allow_nan=False))
