"""Features of a whole data set, streamed to disk: read, preprocess, forward, write, shard by shard."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from carryover._core.errors import InputError
from carryover.models.feature_array import FeatureArray, Shard
from carryover.models.feature_cache import FeatureCache, cache_key
from carryover.models.records import LoadedModel

SHARD_ROWS = 4096
"""Rows in a shard: what is computed again, at most, after an interruption."""

Progress = Callable[[int, int], object]
"""Called with (images done, images in all)."""


class ImageSource(Protocol):
    """Images of one size that can be read in any order; ``content_hash`` changes with any pixel."""

    content_hash: str

    def __len__(self) -> int: ...

    def read(self, start: int, stop: int) -> np.ndarray:
        """Images ``start`` to ``stop``, uint8 (n, height, width, channels)."""
        ...


@dataclass(frozen=True)
class ShardNames:
    """File names of one shard, and the rows it covers."""

    index: int
    start: int
    stop: int

    @property
    def features(self) -> str:
        return f"features-{self.index:05d}.npy"

    @property
    def probabilities(self) -> str:
        return f"source_probabilities-{self.index:05d}.npy"


def extract_features(
    model: LoadedModel,
    images: ImageSource,
    *,
    cache_dir: str | Path,
    batch_size: int = 256,
    device: str | torch.device = "cpu",
    overwrite: bool = False,
    progress: Progress | None = None,
    shard_rows: int = SHARD_ROWS,
) -> FeatureArray:
    """Features (n, d) float32 of every image, and the source head's probabilities (n, k) where there is one.

    Written under ``cache_dir`` in a folder keyed by sha256 of weights, architecture, data, preprocessing, layer,
    dtype and shard size.  Shards found there whole (size and hash) are not computed again, so that an
    interrupted run goes on where it stopped; ``overwrite`` computes all of them.  Peak memory is that of one
    shard and a few batches.  Features depend on ``batch_size`` and ``device`` only through rounding.

    Raises InputError for no images, a forward pass that fails, or features that are not finite (model and first
    example named), and DiskFullError, with nothing half-written, when no space is left.
    """
    if len(images) == 0:
        raise InputError(f"model {model.name!r}: there are no images to extract features from")
    if batch_size < 1 or shard_rows < 1:
        raise InputError(f"batch_size and shard_rows must be at least 1, got {batch_size} and {shard_rows}")
    cache = FeatureCache(Path(cache_dir), cache_key(_identity(model, images, shard_rows)))
    cache.open(overwrite=overwrite)
    shards = [
        ShardNames(index, start, min(start + shard_rows, len(images)))
        for index, start in enumerate(range(0, len(images), shard_rows))
    ]
    missing = [shard for shard in shards if not _is_there(cache, shard)]
    done = len(images) - sum(shard.stop - shard.start for shard in missing)
    if progress is not None:
        progress(done, len(images))
    if missing:
        report = _Report(progress, done, len(images))
        batches = [(shard, span) for shard in missing for span in _spans(shard, batch_size)]
        _extract(model, images, batches=batches, cache=cache, device=torch.device(device), report=report)
    return _open_array(cache, shards, len(images))


def _identity(model: LoadedModel, images: ImageSource, shard_rows: int) -> dict[str, Any]:
    return {
        "weights": model.weights_hash,
        "architecture": model.architecture_hash,
        "data": images.content_hash,
        "n": len(images),
        "preprocessing": model.preprocessing.as_dict(),
        "layer": model.layer,
        "source_head": model.has_source_head,
        "dtype": "float32",
        "shard_rows": shard_rows,
    }


def _is_there(cache: FeatureCache, shard: ShardNames) -> bool:
    """Whether the shard's features, and its probabilities where they were recorded, are whole."""
    n_rows = shard.stop - shard.start
    names = [shard.features, *([shard.probabilities] if shard.probabilities in cache.entries else [])]
    return all(cache.has(name, n_rows) for name in names)


def _spans(shard: ShardNames, batch_size: int) -> Iterator[tuple[int, int]]:
    for start in range(shard.start, shard.stop, batch_size):
        yield start, min(start + batch_size, shard.stop)


class _Report:
    """Counts images and passes the count on."""

    def __init__(self, progress: Progress | None, done: int, total: int) -> None:
        self._progress, self._done, self._total = progress, done, total

    def add(self, n: int) -> None:
        self._done += n
        if self._progress is not None:
            self._progress(self._done, self._total)


def _extract(
    model: LoadedModel,
    images: ImageSource,
    *,
    batches: list[tuple[ShardNames, tuple[int, int]]],
    cache: FeatureCache,
    device: torch.device,
    report: _Report,
) -> None:
    model.module.to(device)
    features: list[np.ndarray] = []
    probabilities: list[np.ndarray] = []
    with closing(_read_ahead(images, batches)) as batches_with_pixels:
        for (shard, (start, stop)), pixels in batches_with_pixels:
            new_features, new_probabilities = _forward(model, pixels, start=start, device=device)
            features.append(new_features)
            if new_probabilities is not None:
                probabilities.append(new_probabilities)
            if stop == shard.stop:
                cache.write(shard.features, np.concatenate(features))
                if probabilities:
                    cache.write(shard.probabilities, np.concatenate(probabilities))
                cache.commit({"model": model.name, "layer": model.layer, "description": model.description})
                features, probabilities = [], []
            report.add(stop - start)


def _read_ahead(images: ImageSource, batches: list[Any]) -> Iterator[tuple[Any, np.ndarray]]:
    """Batches with their pixels; the next one is read and decoded in a thread while this one is computed."""
    with ThreadPoolExecutor(max_workers=1) as reader:
        waiting: Future | None = None
        try:
            waiting = reader.submit(images.read, *batches[0][1])
            for number, batch in enumerate(batches):
                pixels = waiting.result()
                if number + 1 < len(batches):
                    waiting = reader.submit(images.read, *batches[number + 1][1])
                yield batch, pixels
        finally:
            waiting.cancel()


def _forward(
    model: LoadedModel, pixels: np.ndarray, *, start: int, device: torch.device
) -> tuple[np.ndarray, np.ndarray | None]:
    """Features (n, d) and source probabilities (n, k) of one batch, checked to be finite."""
    with torch.inference_mode():
        try:
            readout = model.read_out(model.preprocessing.apply(pixels, device))
        except InputError as error:
            raise InputError(f"model {model.name!r}: {error}") from error
        features = _finite(readout.features, "features", model=model, start=start)
        if readout.logits is None:
            return features, None
        logits = _finite(readout.logits, "outputs of the source head", model=model, start=start)
        return features, torch.softmax(torch.from_numpy(logits).double(), dim=1).float().numpy()


def _finite(rows: Tensor, what: str, *, model: LoadedModel, start: int) -> np.ndarray:
    array = rows.detach().to("cpu", torch.float32).numpy()
    finite = np.isfinite(array).all(axis=1)
    if not finite.all():
        raise InputError(
            f"model {model.name!r}: the {what} hold NaN or infinity, first for example {start + int(finite.argmin())} "
            f"({int((~finite).sum())} of the {len(array)} examples of its batch): look at that image, the "
            "preprocessing and the layer"
        )
    return array


def _open_array(cache: FeatureCache, shards: list[ShardNames], n: int) -> FeatureArray:
    def gather(names: list[str]) -> FeatureArray:
        parts = [
            Shard(cache.folder / name, shard.start, shard.stop - shard.start)
            for name, shard in zip(names, shards, strict=True)
        ]
        return FeatureArray(tuple(parts), (n, cache.width(names[0])))

    array = gather([shard.features for shard in shards])
    if shards[0].probabilities not in cache.entries:
        return array
    return FeatureArray(array.shards, array.shape, gather([shard.probabilities for shard in shards]))
