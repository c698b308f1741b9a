"""The images of a run: decoded once, resident as uint8, split into training and held-out, with their hashes."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from carryover._core.errors import InputError
from carryover._core.seeding import derive_generator
from carryover.data.hashing import combined_hash
from carryover.data.images import ImageColumn
from carryover.data.sources import open_dataset
from carryover.models.encoders import ImageSize
from carryover.pretraining.specs import DataSpec, PretrainSpec

_DECODE = 4096


@dataclass(frozen=True)
class ImageSet:
    """uint8 images (n, c, h, w) on one device, the content hash of each, and the data set's name.

    ``notes``: sentences about what was done to them that nobody asked for.
    """

    name: str
    pixels: Tensor
    hashes: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def size(self) -> ImageSize:
        _, channels, height, width = self.pixels.shape
        return ImageSize(height, width, channels)

    @property
    def content_hash(self) -> str:
        return combined_hash(self.hashes, self.size)

    def floats(self, positions: Tensor) -> Tensor:
        """These images in [0, 1], float32."""
        return self.pixels[positions].to(torch.float32) / 255.0

    def take(self, positions: np.ndarray) -> "ImageSet":
        rows = torch.from_numpy(np.asarray(positions, dtype=np.int64)).to(self.pixels.device)
        return ImageSet(
            self.name, self.pixels[rows], tuple(self.hashes[row] for row in positions), self.notes
        )


@dataclass(frozen=True)
class RunData:
    """What a run sees: ``train``, ``held_out`` (None without), ``downstream`` (None without), pixel statistics."""

    train: ImageSet
    held_out: ImageSet | None
    downstream: ImageSet | None
    mean: tuple[float, ...]
    std: tuple[float, ...]


def load_run_data(spec: PretrainSpec, *, device: str = "cpu") -> RunData:
    """Load, split and count; InputError where something cannot be read, is too small, or has another shape."""
    side = None if spec.image_size is None else (spec.image_size, spec.image_size)
    whole = _load(spec.data, "data", seed=spec.seed, side=side, device=device)
    size = whole.size
    downstream = None
    if spec.downstream is not None:
        downstream = _load(spec.downstream, "downstream", seed=spec.seed, side=side, device=device)
        if downstream.size != size:
            raise InputError(
                f"[downstream] images are {_say(downstream.size)}, those of [data] are {_say(size)}: one encoder must "
                "see both; give image_size to resize them, or channels = 3 in [data] and [downstream] to make all RGB"
            )
        if len(downstream) < spec.train.downstream_batch:
            raise InputError(
                f"downstream has {len(downstream)} images, fewer than downstream_batch = {spec.train.downstream_batch}"
            )
    order = derive_generator(spec.seed, "held out").permutation(len(whole))
    n_held_out = round(spec.held_out * len(whole))
    if n_held_out == len(whole):
        raise InputError(
            f"no images are left to train on: held_out = {spec.held_out:g} takes all {len(whole)} of [data]"
        )
    train = whole.take(np.sort(order[n_held_out:]))
    held_out = whole.take(np.sort(order[:n_held_out])) if n_held_out else None
    mean, std = (spec.mean, spec.std) if spec.mean is not None else _statistics(train)
    if len(mean) != size.channels:
        raise InputError(
            f"mean and std must have {size.channels} numbers, one for each channel, got {len(mean)}"
        )
    return RunData(train, held_out, downstream, tuple(mean), tuple(std))


def _load(spec: DataSpec, role: str, *, seed: int, side: tuple[int, int] | None, device: str) -> ImageSet:
    try:
        source = open_dataset(spec.path, split=spec.split, where=spec.where, config=spec.config)
        column = source.images(spec.image, size=side, channels=spec.channels)
        if spec.max_examples is not None and spec.max_examples < len(column):
            rows = derive_generator(seed, "subset", role).choice(
                len(column), spec.max_examples, replace=False
            )
            column = column.take(np.sort(rows))
        pixels = _decoded(column).to(device)
    except InputError as error:
        raise InputError(f"[{role}] {error}") from error
    notes = ()
    if side is None and column.n_resized:
        notes = (f"{column.n_resized:,} of {len(column):,} [{role}] images had another size: {column.rule}.",)
    return ImageSet(source.name, pixels, tuple(column.example_hashes), notes)


def _say(size: ImageSize) -> str:
    return f"{size.height} x {size.width} with {size.channels} channel{'s' if size.channels > 1 else ''}"


def _decoded(column: ImageColumn) -> Tensor:
    height, width, channels = column.shape
    out = torch.empty((len(column), channels, height, width), dtype=torch.uint8)
    for start in range(0, len(column), _DECODE):
        block = torch.from_numpy(np.ascontiguousarray(column.read(start, start + _DECODE)))
        out[start : start + len(block)] = block.permute(0, 3, 1, 2)
    return out


def _statistics(images: ImageSet) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel's pixels in [0, 1], from exact integer sums."""
    channels = images.pixels.shape[1]
    flat = images.pixels.transpose(0, 1).reshape(channels, -1)
    counts = torch.stack([torch.bincount(one, minlength=256) for one in flat]).to(torch.float64)
    levels = torch.arange(256, dtype=torch.float64, device=counts.device) / 255.0
    total = counts.sum(dim=1)
    mean = (counts * levels).sum(dim=1) / total
    variance = (counts * (levels - mean[:, None]).square()).sum(dim=1) / total
    if (variance == 0.0).any():
        channel = int(torch.argmin(variance))
        raise InputError(
            f"every pixel of channel {channel} is the same: there is nothing to learn from these images"
        )
    return tuple(mean.tolist()), tuple(variance.sqrt().tolist())
