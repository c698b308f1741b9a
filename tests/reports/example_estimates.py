"""Estimates as they stand in a record: made, and not made."""

from typing import Any


def est(value: float, std_error: float | None = None, **extras: Any) -> dict[str, Any]:
    """An estimate with a 95 % interval of +-1.96 standard errors."""
    value = float(value)
    interval = (
        None if std_error is None else [float(value - 1.96 * std_error), float(value + 1.96 * std_error)]
    )
    error = None if std_error is None else float(std_error)
    base = {"value": value, "std_error": error, "interval": interval, "n_samples": 400, "confidence": 0.95}
    return {**base, "status": "ok", "reason": None, **extras}


def missing(status: str, reason: str, **extras: Any) -> dict[str, Any]:
    """An estimate that was not made."""
    empty = {"value": None, "std_error": None, "interval": None, "n_samples": None, "confidence": 0.95}
    return {**empty, "status": status, "reason": reason, **extras}
