"""Metrics sent to a tracker that accelerate supports (tensorboard, wandb, mlflow, ...), where one is asked for."""

from collections.abc import Iterable, Mapping
from typing import Any

from accelerate import Accelerator
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers
from accelerate.utils import LoggerType

from carryover._core.errors import InputError, did_you_mean

PROJECT = "carryover"


def check_tracker(name: str | None) -> None:
    """InputError for a tracker that accelerate does not know, or whose package is not installed."""
    if name is None:
        return
    if name not in LOGGER_TYPE_TO_CLASS:
        raise InputError(f"no tracker is called {name!r}; {did_you_mean(name, LOGGER_TYPE_TO_CLASS)}")
    installed = {str(one) for one in get_available_trackers()}
    if name in LoggerType.list() and name not in installed:
        raise InputError(
            f"the tracker {name!r} needs the package {name}, which is not installed: pip install {name}"
        )


def start_trackers(accelerator: Accelerator, settings: Mapping[str, Any]) -> None:
    """Start what the accelerator was given, with the run's settings as they can be stored: numbers and words."""
    if accelerator.log_with:
        plain = {key: value for key, value in settings.items() if isinstance(value, int | float | str)}
        accelerator.init_trackers(PROJECT, config=plain)


def send(accelerator: Accelerator, row: Mapping[str, Any]) -> None:
    """One line of metrics, under its step."""
    if accelerator.trackers:
        accelerator.log({key: value for key, value in row.items() if key != "step"}, step=row["step"])


def finish_trackers(trackers: Iterable[Any]) -> None:
    """Close them; accelerate's own ``end_training`` would also part the processes."""
    for tracker in trackers:
        tracker.finish()
