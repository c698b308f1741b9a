"""docs/reproductions.md from the comparisons that are committed in docs/tables.

python benchmarks/reproductions.py [FOLDER ...]: of folders of ``carryover reproduce`` the tables are taken over first.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1] / "docs"
TABLES, PAGE = DOCS / "tables", DOCS / "reproductions.md"
HEAD = """# Reproductions

What `carryover reproduce NAME --out DIR --size small` gave, beside what is published, agreeable or not. Made by
`python benchmarks/reproductions.py` from the files in `docs/tables`; `carryover reproduce --list` prints every
experiment and what it costs.

**agrees**: the interval of ours holds the published value and reaches at most as far as the smallest difference that
matters (declared in the code of the entry before it was run), or lies within that difference of it. **cannot tell**:
it holds it, but is too wide. **differs**: it does not hold it. **not comparable**: another n, number of epochs, or
width. A claim of an order agrees or differs where the interval lies on one side of 0. Numbers without an interval
have no sampling error; intervals of simulated errors hold jointly at 95 % for all of an entry.

Of A26 the abstract and the formulas are compared; its figures were not read off, so the shape of their curves is
compared through exact values and claims only. Its abstract says that a smaller first layer wins where a subset of the
features is used. Of the two networks that have one, I and IV, the better does win at each alpha compared; but the
network of regime IV alone does not: I, which is nearly independent of pretraining, is better than IV.
"""


def take_over(folder: Path) -> None:
    """Copy the comparisons and the table of a folder of ``carryover reproduce``."""
    record = json.loads((folder / "comparisons.json").read_text(encoding="utf-8"))
    record["environment"].pop("host", None)
    for name in ("n_computed", "seconds"):  # of the last run alone, which may have found every row there
        del record[name]
    TABLES.mkdir(exist_ok=True)
    text = json.dumps(record, indent=1) + "\n"
    (TABLES / f"{record['name']}_{record['size']}.json").write_text(text, encoding="utf-8")
    shutil.copyfile(folder / "table.csv", TABLES / f"{record['name']}_{record['size']}.csv")


def page() -> str:
    """The whole page."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(TABLES.glob("*.json"))]
    return "\n".join([HEAD, *(_section(record) for record in records if "comparisons" in record)])


def _section(record: dict[str, Any]) -> str:
    verdicts = ", ".join(f"{n} {verdict}" for verdict, n in record["verdicts"].items() if n)
    where = record["environment"]
    versions = ", ".join(f"{key} {where[key]}" for key in ("python", "numpy", "scipy"))
    name = f"{record['name']}_{record['size']}"
    lines = [
        f"## {record['name']}, {record['size']}",
        "",
        f"{len(record['comparisons'])} comparisons: {verdicts}. {record['n_cells']} cells, {record['n_failed']} failed "
        f"({versions}, {where['threads']} thread, {where['machine']}). Numbers: [{name}.csv](tables/{name}.csv).",
        "",
        "| what | published | ours | verdict | source |",
        "|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *(_row(one) for one in record["comparisons"]), ""])


def _row(one: dict[str, Any]) -> str:
    verdict, source = f"**{one['verdict']}**", one["published"]["source"]
    cells = (one["what"], one["published_said"], _ours(one["ours"]), verdict, source)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _ours(ours: dict[str, Any]) -> str:
    if ours["status"] != "ok":
        return ours["reason"]
    low, high = ours["interval"]
    return f"{ours['value']:.4g}" + ("" if low == high else f" ({low:.4g} to {high:.4g})")


if __name__ == "__main__":
    for given in sys.argv[1:]:
        take_over(Path(given))
    PAGE.write_text(page(), encoding="utf-8")
