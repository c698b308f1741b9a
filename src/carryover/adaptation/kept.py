"""Records that take long to compute, kept in the run's folder, so that a run taken up again does not repeat them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from carryover.data.atomic import written_whole


def kept(path: Path, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What ``path`` holds, or else what ``compute`` gives, which is then written there whole."""
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    record = compute()
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as partial:
        partial.write_text(json.dumps(record, indent=1, allow_nan=False), encoding="utf-8")
    return record
