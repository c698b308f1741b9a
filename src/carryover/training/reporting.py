"""Who is told how a run goes: metrics.jsonl, the caller, and a tracker.  Of several processes the first one tells."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from carryover.training.metrics import METRICS, MetricsFile
from carryover.training.trackers import finish_trackers, send, start_trackers


class Reports(AbstractContextManager):
    """Rows of metrics with their speed, to everyone who wants them; closed at the end of a ``with``."""

    def __init__(
        self,
        accelerator: Accelerator,
        *,
        folder: Path | None,
        resume_after: int | None,
        progress: Callable[[Mapping[str, Any]], None],
        settings: Mapping[str, Any],
    ) -> None:
        """``settings``: the run's, with its ``steps`` and ``batch_size``; trackers store them.

        ``last``: the last row of the part of the run that is taken up, {} without.
        """
        self.accelerator, self.progress = accelerator, progress
        self.steps, self.batch_size = settings["steps"], settings["batch_size"]
        self.first = accelerator.is_main_process
        self.metrics = None
        if folder is not None and self.first:
            self.metrics = MetricsFile(folder / METRICS, resume_after=resume_after)
        self.last: Mapping[str, Any] = self.metrics.kept[-1] if self.metrics and self.metrics.kept else {}
        start_trackers(accelerator, settings)
        self.started, self.seen = time.monotonic(), 0

    def tick(self) -> None:
        """One more step is done."""
        self.seen += 1

    def tell(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Pass on a row with its ``step``; returns it with images a second and seconds left."""
        seconds = max((time.monotonic() - self.started) / max(self.seen, 1), 1e-12)
        speed = {
            "images_per_second": self.batch_size / seconds,
            "seconds_left": seconds * (self.steps - row["step"]),
        }
        row = {**row, **speed}
        if self.first:
            self.progress(row)
        if self.metrics is not None:
            self.metrics.write(row)
        send(self.accelerator, row)
        return row

    def __exit__(self, *_: object) -> None:
        if self.metrics is not None:
            self.metrics.close()
        finish_trackers(self.accelerator.trackers)
