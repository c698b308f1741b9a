"""Sweeps of feature extraction over images that hold stripes.

What loads torch and datasets is imported inside: collecting the default tests must not take seconds for it.
"""

from pathlib import Path
from typing import Any

from carryover.experiments.cells import SweepPlan, plan_sweep
from carryover.experiments.store import Store


def striped_images(n: int, seed: int) -> Any:
    import tiny_runs

    return tiny_runs.striped_images(n, seed)


def write_images(*arguments: Any) -> Any:
    import tiny_runs

    return tiny_runs.write_images(*arguments)


NETWORK = {
    "name": "cnn",
    "factory": "carryover.models.backbones:small_cnn",
    "arguments": {"n_classes": 5, "channels": 1, "width": 4},
}


def features_sweep(images: Any, over: dict[str, Any] | None = None, **more: Any) -> SweepPlan:
    """Two models over four shards of a file, or what ``over`` and ``more`` say."""
    base = {"shards": 4, "batch_size": 8, "data": {"path": images}, **more}
    return plan_sweep(
        {
            "sweep": {"command": "features"},
            "base": base,
            "over": over or {"model": [NETWORK, {"baseline": "pixels"}]},
        }
    )


def folder_of(store: Store, name: str) -> Path:
    """Where a model's shards lie together."""
    return store.folder / "features" / name
