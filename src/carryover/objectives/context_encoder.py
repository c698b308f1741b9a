"""Context encoder: fill in a hidden region of the image (Pathak et al., CVPR 2016; studied by DHZM24)."""

import torch
from torch import Tensor, nn

from carryover._core.errors import InputError
from carryover.objectives.keyed import Key


class ContextEncoder(nn.Module):
    """Mean squared error inside a hidden square region, predicted from the image around it, which is set to 0 inside.

    ``encoder`` maps images (b, c, h, w) to features (b, d), ``decoder`` features to images of the same shape; both may
    be convolutional or fully connected.  ``region``: side of the square in pixels, placed anew for each example and
    step.
    Raises InputError where the region leaves nothing visible or nothing to predict.
    """

    couples_batch = False

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        *,
        image_size: int,
        region: int,
        normalize: nn.Module | None = None,
    ) -> None:
        super().__init__()
        if not 1 <= region < image_size:
            what = "nothing to predict" if region < 1 else "nothing visible"
            raise InputError(f"a region of {region} pixels in images of {image_size} leaves {what}: it must lie in "
                             f"[1, {image_size - 1}]")  # fmt: skip
        self.encoder, self.decoder = encoder, decoder
        self.normalize = normalize or nn.Identity()
        self.image_size, self.region = image_size, region

    def hidden(self, key: Key) -> Tensor:
        """The mask (b, 1, h, w), 1 inside the region."""
        free = self.image_size - self.region + 1
        corner = key.integers("context region", 2, below=free)
        place = torch.arange(self.image_size, device=key.ids.device)
        inside = (place >= corner[:, :, None]) & (place < corner[:, :, None] + self.region)
        return (inside[:, 0, :, None] & inside[:, 1, None, :])[:, None].to(torch.float32)

    def loss(self, images: Tensor, key: Key) -> Tensor:
        return self.losses(images, key).mean()

    def losses(self, images: Tensor, key: Key) -> Tensor:
        images, mask = self.normalize(images), self.hidden(key)
        error = (self.decoder(self.encoder(images * (1.0 - mask))) - images).square()
        return (error * mask).sum(dim=(1, 2, 3)) / (self.region**2 * images.shape[1])

    def encode(self, images: Tensor) -> Tensor:
        return self.encoder(self.normalize(images))
