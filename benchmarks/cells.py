"""Cells of a long comparison: each computed once, kept as JSON, shared out between processes."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Cells:
    """``folder`` keeps results; of every ``shares`` cells this process computes the one numbered ``share``."""

    folder: Path
    share: int = 0
    shares: int = 1

    def run(self, keys: Iterable[str], compute: Callable[[str], dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """By key, what is known once this process has done its share."""
        found = {}
        self.folder.mkdir(parents=True, exist_ok=True)
        for number, key in enumerate(keys):
            path = self.folder / f"{key}.json"
            if not path.exists() and number % self.shares == self.share:
                path.write_text(json.dumps(compute(key)))
                print(f"    {key}: {path.read_text()[:160]}", flush=True)
            if path.exists():
                found[key] = json.loads(path.read_text())
        return found
