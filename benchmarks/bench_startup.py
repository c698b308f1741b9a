"""How long `import carryover` and `carryover --help` take, as whole processes less an empty interpreter."""

import statistics
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from harness import Row, seconds

RUNS = 7


def _median_seconds(command: list[str]) -> float:
    def once() -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    once()
    return statistics.median(seconds(once) for _ in range(RUNS))


def rows() -> Iterable[Row]:
    empty = _median_seconds([sys.executable, "-c", "pass"])
    imported = _median_seconds([sys.executable, "-c", "import carryover"]) - empty
    helped = _median_seconds([str(Path(sys.executable).with_name("carryover")), "--help"])
    yield Row("`import carryover`", imported, "s", "<= .3 s", imported <= 0.3)
    yield Row("`carryover --help`", helped, "s", "<= .6 s", helped <= 0.6)
