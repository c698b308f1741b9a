"""The bounds put to the test, each part printing the tables that docs/ hold.

python benchmarks/validate_bounds.py [draws] [family] [curl] [--folder bounds-validation] [--jobs 1]

draws: every bound on at least 1,000 draws from laws whose true risks are known exactly (6 core minutes).
family: the terms of the transfer bound over 90 pretraining runs, and which of them predicts (100 core minutes).
curl: the contrastive bound on pairs of classes of CIFAR-100 (25 core minutes, and a run of the family for SimCLR).

What --folder holds is not computed again.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from bounds_ablation import family
from bounds_curl import curl
from bounds_family import make_family
from bounds_simulated import draws
from harness import environment

FAMILY = "family"


def _family(folder: Path, jobs: int) -> None:
    make_family(folder)
    family(folder)


def _curl(folder: Path, jobs: int) -> None:
    runs = folder.parent / FAMILY
    curl(folder, runs=runs if runs.is_dir() else None)


PARTS: Mapping[str, Callable[[Path, int], None]] = {"draws": draws, FAMILY: _family, "curl": _curl}
"""Each takes the folder and the number of processes, and prints."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"default: all of {', '.join(PARTS)}")
    parser.add_argument("--folder", type=Path, default=Path("bounds-validation"))
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"there is no part {sorted(unknown)[0]!r}; parts are {', '.join(PARTS)}")
    for part in given.parts or PARTS:
        print(f"\n### {part}: {environment()}\n", flush=True)
        PARTS[part](given.folder / part, given.jobs)


if __name__ == "__main__":
    main()
