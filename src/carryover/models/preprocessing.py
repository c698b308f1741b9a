"""From whole uint8 batches to what a network expects: resized, cropped, scaled and normalised, all of it declared."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from carryover._core.errors import InputError

ResizeMode = Literal["nearest", "bilinear", "bicubic"]

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the gray value (ITU-R BT.601)."""


@dataclass(frozen=True)
class Preprocessing:
    """How uint8 images (n, h, w, c) become floats (n, c, h, w).

    In this order: gray <-> RGB where ``channels`` differs from the image's, resize to ``image_size``
    (height, width) or so that the shorter side is ``shortest_edge`` (antialiased, rounded to whole levels as
    in Pillow), central crop to ``crop_size``, multiplication by ``rescale``, then (x - mean) / std per channel.
    None means "leave as it is".  Raises InputError for sizes < 1, std <= 0, or means and deviations that do not
    match in number.
    """

    image_size: tuple[int, int] | None = None
    shortest_edge: int | None = None
    crop_size: tuple[int, int] | None = None
    resize_mode: ResizeMode = "bilinear"
    rescale: float = 1 / 255
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    channels: Literal[1, 3] | None = None

    def __post_init__(self) -> None:
        for name in ("image_size", "crop_size"):
            size = getattr(self, name)
            if size is not None and (len(size) != 2 or min(size) < 1):
                raise InputError(f"{name} must be (height, width), each at least 1, got {size}")
        if self.resize_mode not in ("nearest", "bilinear", "bicubic"):
            raise InputError(f"resize_mode must be nearest, bilinear or bicubic, got {self.resize_mode!r}")
        if self.channels not in (None, 1, 3):
            raise InputError(f"channels must be 1 (gray) or 3 (RGB), got {self.channels}")
        self._check_normalisation()

    def _check_normalisation(self) -> None:
        n_mean, n_std = len(self.mean or ()), len(self.std or ())
        permitted = (0, 1, self.channels) if self.channels else (0, 1, 3)
        if n_mean != n_std or n_mean not in permitted:
            raise InputError(
                f"mean and std must be given together, one number a channel, got mean {self.mean} and std {self.std}"
                + (f" for {self.channels} channel(s)" if self.channels else "")
            )
        if self.std and min(self.std) <= 0:
            raise InputError(f"std must be positive in every channel, got {self.std}")

    def apply(self, images: np.ndarray, device: str | torch.device = "cpu") -> Tensor:
        """Floats (n, c, h, w), float32, from uint8 images (n, h, w, c) with 1 or 3 channels."""
        if images.ndim != 4 or images.dtype != np.uint8 or images.shape[-1] not in (1, 3):
            raise InputError(
                "images must be uint8 of shape (n, height, width, channels) with 1 or 3 channels, "
                f"got dtype {images.dtype} and shape {images.shape}"
            )
        images = np.require(
            images, requirements=["C", "W"]
        )  # torch warns of arrays that cannot be written to
        batch = torch.from_numpy(images).to(device).permute(0, 3, 1, 2)
        batch = self._crop(self._resize(self._convert_channels(batch)))
        return self._normalise(batch)

    def _convert_channels(self, batch: Tensor) -> Tensor:
        given = batch.shape[1]
        if self.channels is None or given == self.channels:
            return batch
        if given == 1:
            return batch.expand(-1, 3, -1, -1)
        luma = torch.tensor(LUMA, device=batch.device).view(1, 3, 1, 1)
        return (batch * luma).sum(dim=1, keepdim=True).round().to(torch.uint8)

    def _resize(self, batch: Tensor) -> Tensor:
        size = self._size_after_resize(batch.shape[-2], batch.shape[-1])
        if size == tuple(batch.shape[-2:]):
            return batch
        if self.resize_mode == "nearest":
            return functional.interpolate(batch, size, mode="nearest-exact")
        if batch.device.type == "cpu":  # the uint8 kernel follows Pillow and exists only here
            return functional.interpolate(batch, size, mode=self.resize_mode, antialias=True)
        resized = functional.interpolate(batch.float(), size, mode=self.resize_mode, antialias=True)
        return resized.round().clamp(0, 255)

    def _size_after_resize(self, height: int, width: int) -> tuple[int, int]:
        if self.image_size is not None:
            return self.image_size
        if self.shortest_edge is None:
            return height, width
        edge = self.shortest_edge
        if height <= width:
            return edge, max(1, int(edge * width / height))
        return max(1, int(edge * height / width)), edge

    def _crop(self, batch: Tensor) -> Tensor:
        if self.crop_size is None:
            return batch
        (height, width), (rows, columns) = batch.shape[-2:], self.crop_size
        if rows > height or columns > width:
            raise InputError(
                f"images of {height}x{width} are smaller than the crop of {rows}x{columns}: set image_size"
            )
        top, left = (height - rows) // 2, (width - columns) // 2
        return batch[:, :, top : top + rows, left : left + columns]

    def _normalise(self, batch: Tensor) -> Tensor:
        mean = torch.tensor(self.mean or (0.0,), device=batch.device).view(1, -1, 1, 1)
        std = torch.tensor(self.std or (1.0,), device=batch.device).view(1, -1, 1, 1)
        # One multiplication and one addition: (rescale * x - mean) / std.
        return batch.to(torch.float32, copy=True).mul_(self.rescale / std).sub_(mean / std)

    def sentence(self) -> str:
        """What was done to the images, for the report.

        >>> Preprocessing(image_size=(32, 32), mean=(0.5,), std=(0.25,)).sentence()
        'Images resized to 32x32 (bilinear), pixel values multiplied by 1/255, then (x - 0.5) / 0.25.'
        """
        parts = [*self._size_words(), f"pixel values multiplied by {_fraction(self.rescale)}"]
        if self.mean and self.std:
            parts.append(f"then (x - {_numbers(self.mean)}) / {_numbers(self.std)}")
        if self.channels:
            parts.append(
                "gray images repeated to RGB" if self.channels == 3 else "RGB turned into gray (BT.601)"
            )
        return "Images " + ", ".join(parts) + "."

    def _size_words(self) -> list[str]:
        if self.image_size:
            words = [f"resized to {self.image_size[0]}x{self.image_size[1]} ({self.resize_mode})"]
        elif self.shortest_edge:
            words = [f"resized to a shorter side of {self.shortest_edge} ({self.resize_mode})"]
        else:
            words = ["at their own size"]
        if self.crop_size:
            words.append(f"cropped centrally to {self.crop_size[0]}x{self.crop_size[1]}")
        return words

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for the cache key and for ``preprocessing.json``."""
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()
        }


def _fraction(value: float) -> str:
    return f"1/{round(1 / value)}" if value < 1 and abs(1 / value - round(1 / value)) < 1e-6 else f"{value:g}"


def _numbers(values: tuple[float, ...]) -> str:
    return f"{values[0]:g}" if len(values) == 1 else "[" + ", ".join(f"{value:g}" for value in values) + "]"
