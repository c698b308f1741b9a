"""The bounds put to the test, each part printing the tables that docs/ hold.

python benchmarks/validate_bounds.py [draws] [--folder bounds-validation] [--jobs 1]

draws: every bound on at least 1,000 draws from laws whose true risks are known exactly.

What --folder holds is not computed again.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from bounds_simulated import draws
from harness import environment

PARTS: Mapping[str, Callable[[Path, int], None]] = {"draws": draws}
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
