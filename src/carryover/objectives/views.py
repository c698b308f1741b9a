"""Random views of whole batches on the device: crop and resize, flip, colours; functions of the examples' key.

Images (b, c, h, w) are floats in [0, 1]; views have the same shape.  Crops are resampled bilinearly.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from carryover._core.errors import InputError
from carryover.objectives.keyed import Key

_GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601


@dataclass(frozen=True)
class Views:
    """What a view may change.

    - ``least_area``: a crop covers between this share of the image's area and all of it, with an aspect ratio between
      3/4 and 4/3 (log-uniform), and is resized to the image; 1 leaves images as they are
    - ``flip``: probability of a mirror image
    - ``jitter``: brightness, contrast and saturation each change by a factor within 1 -+ ``jitter``; 0 changes nothing
    - ``grey``: probability of losing all colour
    Raises InputError for a share, probability or factor outside [0, 1] (least_area > 0).
    """

    least_area: float = 0.2
    flip: float = 0.5
    jitter: float = 0.4
    grey: float = 0.2

    def __post_init__(self) -> None:
        for name in ("flip", "jitter", "grey"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise InputError(f"{name} must lie in [0, 1], got {getattr(self, name):g}")
        if not 0.0 < self.least_area <= 1.0:
            raise InputError(f"least_area must lie in (0, 1], got {self.least_area:g}")

    def draw(self, images: Tensor, key: Key, name: str) -> Tensor:
        """One view of each image; another ``name`` is another view.

        >>> images = torch.rand(2, 3, 8, 8)
        >>> still = Views(least_area=1.0, flip=0.0, jitter=0.0, grey=0.0)
        >>> torch.equal(still.draw(images, Key(0, 0, torch.arange(2)), "first"), images)
        True
        """
        if self.least_area < 1.0:
            images = _cropped(images, self._boxes(key, name))
        if self.flip > 0.0:
            mirrored = key.uniform(f"{name} flip", 1)[:, :, None, None] < self.flip
            images = torch.where(mirrored, images.flip(3), images)
        if self.jitter > 0.0:
            images = _jittered(images, 1.0 + self.jitter * (2.0 * key.uniform(f"{name} jitter", 3) - 1.0))
        if self.grey > 0.0 and images.shape[1] == 3:
            lost = key.uniform(f"{name} grey", 1)[:, :, None, None] < self.grey
            images = torch.where(lost, _grey(images).expand_as(images), images)
        return images

    def _boxes(self, key: Key, name: str) -> Tensor:
        """Crops (b, 4): centre and half size along x and y, in units where the image is [-1, 1]^2."""
        draws = key.uniform(f"{name} crop", 4)
        area = self.least_area + (1.0 - self.least_area) * draws[:, 0]
        aspect = torch.exp((2.0 * draws[:, 1] - 1.0) * math.log(4.0 / 3.0))
        width = (area * aspect).sqrt().clamp(max=1.0)
        height = (area / aspect).sqrt().clamp(max=1.0)
        across = (2.0 * draws[:, 2] - 1.0) * (1.0 - width)
        down = (2.0 * draws[:, 3] - 1.0) * (1.0 - height)
        return torch.stack([across, down, width, height], dim=1)


def _cropped(images: Tensor, boxes: Tensor) -> Tensor:
    across, down, width, height = boxes.unbind(dim=1)
    zero = torch.zeros_like(across)
    rows = (torch.stack([width, zero, across], dim=1), torch.stack([zero, height, down], dim=1))
    grid = functional.affine_grid(torch.stack(rows, dim=1), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _grey(images: Tensor) -> Tensor:
    """Luminance (b, 1, h, w); a mean where there are not three channels."""
    if images.shape[1] != 3:
        return images.mean(dim=1, keepdim=True)
    weights = torch.tensor(_GREY, dtype=images.dtype, device=images.device)
    return (images * weights[:, None, None]).sum(dim=1, keepdim=True)


def _jittered(images: Tensor, factors: Tensor) -> Tensor:
    """Brightness, then contrast about the mean luminance, then saturation about the luminance, clipped to [0, 1]."""
    brightness, contrast, saturation = (factors[:, place, None, None, None] for place in range(3))
    images = (images * brightness).clamp(0.0, 1.0)
    mean = _grey(images).mean(dim=(2, 3), keepdim=True)
    images = (mean + contrast * (images - mean)).clamp(0.0, 1.0)
    if images.shape[1] == 3:
        grey = _grey(images)
        images = (grey + saturation * (images - grey)).clamp(0.0, 1.0)
    return images
