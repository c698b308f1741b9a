"""The rule of every conclusion about pretraining: an encoder counts where it beats its own random start."""

from collections.abc import Mapping

from carryover._core.results import Estimate

PREMISE = "what every other comparison here rests on"


def beats_random_start(gain: Estimate) -> bool:
    """Whether what an encoder gained over the same network before training lies above 0 with its whole interval."""
    return gain.ok and gain.interval is not None and gain.interval[0] > 0.0


def at_random_start(gains: Mapping[str, Estimate]) -> str:
    """Why nothing is concluded from encoders, their gains by name; nothing where each beats its random start.

    >>> at_random_start({"mae": Estimate(0.02, interval=(-0.01, 0.05))})
    'mae does not beat its own random start (0.02, -0.01 to 0.05)'
    """
    weak = {name: gain for name, gain in gains.items() if not beats_random_start(gain)}
    return "; ".join(
        f"{name} does not beat its own random start ({_said(gain)})" for name, gain in weak.items()
    )


def _said(gain: Estimate) -> str:
    if not gain.ok or gain.interval is None:
        return gain.reason or "no interval"
    low, high = gain.interval
    return f"{gain.value:.3g}, {low:.3g} to {high:.3g}"
