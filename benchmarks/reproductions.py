"""docs/reproductions.md from the comparisons that are committed in docs/tables.

    python benchmarks/reproductions.py [FOLDER ...]  tables of folders of ``carryover reproduce`` are taken over first;
                                                     --commit: that they were computed with, if not this one
    python benchmarks/reproductions.py --run DIR     every experiment at size small, in DIR/NAME, with two workers

The second takes hours, and goes on where it was stopped (data in CARRYOVER_DATA or in `shared` beside the repository).
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from PIL import Image

from carryover.experiments.catalogue import CATALOGUE
from carryover.experiments.inputs import Inputs
from carryover.reports.catalogue_figures import CAPTIONS

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("CARRYOVER_DATA") or ROOT.parent / "shared")
DOCS = ROOT / "docs"
TABLES, FIGURES, PAGE = DOCS / "tables", DOCS / "figures", DOCS / "reproductions.md"
SAID = tomllib.loads(Path(__file__).with_name("reproductions_said.toml").read_text(encoding="utf-8"))
"""By entry, what its table says in a few sentences."""
COLOURS = 64  # enough for lines and letters, in a third of the bytes
HEAD = """# Reproductions

What `carryover reproduce NAME --out DIR --size small` gave, beside what is published, agreeable or not. Made by
`python benchmarks/reproductions.py` from the files in `docs/tables`; `carryover reproduce --list` prints every
experiment and what it costs.

**agrees**: the interval of ours holds the published value and reaches at most as far as the smallest difference
that matters (declared in the code of the entry before it was run), or lies within that difference of it. **cannot
tell**: it holds it, but is too wide, or nothing is concluded, since an encoder does not beat its own random start.
**differs**: it does not hold it. **not comparable**: another n, number of epochs, or width. A claim of an order
agrees or differs where the interval lies on one side of 0. Numbers without an interval have no sampling error;
intervals of simulated errors hold jointly at 95 % for all of an entry.
"""


def take_over(folder: Path, commit: str) -> None:
    """Copy the comparisons, the table and the figure of a folder of ``carryover reproduce``."""
    record = json.loads((folder / "comparisons.json").read_text(encoding="utf-8"))
    record["environment"].pop("host", None)
    record["environment"]["commit"] = commit
    for name in ("n_computed", "seconds"):  # of the last run alone, which may have found every row there
        del record[name]
    TABLES.mkdir(exist_ok=True)
    name = f"{record['name']}_{record['size']}"
    (TABLES / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    shutil.copyfile(folder / "table.csv", TABLES / f"{name}.csv")
    with Image.open(folder / "figure.png") as figure:
        figure.convert("RGB").quantize(COLOURS).save(FIGURES / f"{name}.png", optimize=True)


def _commit() -> str:
    """Of this checkout."""
    said = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short=10", "HEAD"],
        capture_output=True,
        text=True,
        check=True,
    )
    return said.stdout.strip()


def page() -> str:
    """The whole page."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(TABLES.glob("*.json"))]
    records = [record for record in records if "comparisons" in record]
    return "\n".join([HEAD, *_missing(records), *(_section(record) for record in records)])


def _missing(records: list[dict[str, Any]]) -> list[str]:
    """What the catalogue has and the page does not."""
    there = {record["name"] for record in records if record["size"] != "smoke"}
    missing = [name for name in CATALOGUE if name not in there]
    said = [f"Not computed yet at size small: {', '.join(missing)}.\n"] if missing else []
    partly = [
        one["name"] for one in records if one["size"] == "small" and one["n_cells"] < _planned(one["name"])
    ]
    return said + (
        [f"Computed before the experiment had all its parts: {', '.join(partly)}.\n"] if partly else []
    )


def _planned(name: str) -> int:
    """Cells of the small size, each once."""
    parts = CATALOGUE[name].sizes["small"].parts(Inputs(DATA))
    return len({cell.id for part in parts for cell in part.cells})


def _section(record: dict[str, Any]) -> str:
    verdicts = ", ".join(f"{n} {verdict}" for verdict, n in record["verdicts"].items() if n)
    where = record["environment"]
    named = ("commit", "python", "numpy", "scipy", "torch")
    versions = ", ".join(f"{key} {where[key]}" for key in named if key in where)
    name = f"{record['name']}_{record['size']}"
    lines = [
        f"## {record['name']}, {record['size']}",
        "",
        *([SAID[record["name"]].strip(), ""] if record["name"] in SAID else []),
        f"![{CATALOGUE[record['name']].description}](figures/{name}.png)",
        "",
        CAPTIONS[record["name"]],
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
    cells = (one["what"], one["published_said"], _ours(one["ours"]) + _unproven(one), verdict, source)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _ours(ours: dict[str, Any]) -> str:
    if ours["status"] != "ok":
        return ours["reason"]
    low, high = ours["interval"]
    return f"{ours['value']:.4g}" + ("" if low == high else f" ({low:.4g} to {high:.4g})")


def _unproven(one: dict[str, Any]) -> str:
    """Why nothing is concluded from a number that is there."""
    return f". {one['sentence']}" if one["sentence"].startswith("No conclusion: ") else ""


def run_all(folder: Path) -> list[Path]:
    """Every experiment at size small; the folders."""
    for name in CATALOGUE:
        command = [sys.executable, "-m", "carryover", "reproduce", name, "--out", str(folder / name)]
        subprocess.run([*command, "--size", "small", "--data", str(DATA), "--workers", "2"], check=True)
    return [folder / name for name in CATALOGUE]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--commit", default=_commit())
    given = parser.parse_args()
    for folder in run_all(given.run) if given.run else given.folders:
        take_over(folder, given.commit)
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
