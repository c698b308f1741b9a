"""What a diagnosis will cost, said before the long work starts."""

import time
from collections.abc import Sequence

import numpy as np

from carryover.diagnosis.candidates import Candidate
from carryover.diagnosis.gathering import Pools, n_images
from carryover.diagnosis.specs import MeasureSpec
from carryover.diagnosis.target import Target

PROBE_IMAGES = 32


def estimate_cost(
    candidates: Sequence[Candidate], target: Target, pools: Pools, spec: MeasureSpec, *, device: str
) -> str:
    """A sentence with the seconds that extraction and measuring will take, each from a small timed piece of it."""
    total = n_images(target, pools)
    networks = [one for one in candidates if one.network is not None]
    extraction = sum(_seconds_per_image(one, target, device) for one in networks) * total
    measuring = sum(_measuring_seconds(one, target, spec) for one in candidates)
    models = "1 model" if len(candidates) == 1 else f"{len(candidates)} models"
    parts = []
    if networks:
        parts.append(
            f"about {_spoken(extraction)} to extract features of {total:,} images (less what is cached)"
        )
    parts.append(f"about {_spoken(measuring)} to measure")
    return f"{models}, {len(target.train):,} training and {len(target.test):,} test examples: {' and '.join(parts)}."


def _seconds_per_image(candidate: Candidate, target: Target, device: str) -> float:
    import torch

    network = candidate.network
    images = target.train.images.read(0, min(PROBE_IMAGES, len(target.train)))
    with torch.inference_mode():
        network.module.to(device)
        batch = network.preprocessing.apply(images).to(device)
        network.read_out(batch[:2])
        start = time.perf_counter()
        network.read_out(batch)
        seconds = time.perf_counter() - start
    return seconds / len(images)


def _measuring_seconds(candidate: Candidate, target: Target, spec: MeasureSpec) -> float:
    """One Gram matrix of the size at hand is timed; a diagnosis does the work of about so many of them."""
    n = min(len(target.train), spec.max_rows)
    d = _width(candidate, target)
    rows = np.random.default_rng(0).standard_normal((min(n, 512), min(d, 512)))
    start = time.perf_counter()
    for _ in range(3):
        rows.T @ rows
    per_flop = (time.perf_counter() - start) / (3 * rows.shape[0] * rows.shape[1] ** 2)
    gram = per_flop * n * d * min(n, d)
    draws = spec.n_draws + 20 * spec.n_partitions / 10
    return 3.0 + 8.0 * draws * gram / 2 + 2e-5 * draws * n


def _width(candidate: Candidate, target: Target) -> int:
    if candidate.file is not None:
        return candidate.file.features.shape[1]
    import torch

    network = candidate.network
    with torch.inference_mode():
        return int(
            network.read_out(network.preprocessing.apply(target.train.images.read(0, 2))).features.shape[1]
        )


def _spoken(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
