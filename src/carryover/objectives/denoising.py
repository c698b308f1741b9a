"""Denoising autoencoder: predict the clean image from a noisy one (Vincent et al., ICML 2008)."""

from torch import Tensor, nn

from carryover._core.errors import InputError
from carryover.objectives.keyed import Key


class DenoisingAutoencoder(nn.Module):
    """Mean squared error over all pixels between decoder(encoder(image + noise_std * noise)) and the image.

    Images are normalised before noise is added.  ``encoder`` maps normalised images
    (b, c, h, w) to features (b, d), ``decoder`` features to images of the same shape.
    """

    couples_batch = False

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        *,
        noise_std: float = 0.5,
        normalize: nn.Module | None = None,
    ) -> None:
        super().__init__()
        if not noise_std > 0.0:
            raise InputError(f"noise_std must be > 0, got {noise_std:g}")
        self.encoder, self.decoder, self.noise_std = encoder, decoder, noise_std
        self.normalize = normalize or nn.Identity()

    def loss(self, images: Tensor, key: Key) -> Tensor:
        return self.losses(images, key).mean()

    def losses(self, images: Tensor, key: Key) -> Tensor:
        images = self.normalize(images)
        noise = key.normal("denoising", images[0].numel()).reshape(images.shape)
        return (
            (self.decoder(self.encoder(images + self.noise_std * noise)) - images)
            .square()
            .mean(dim=(1, 2, 3))
        )

    def encode(self, images: Tensor) -> Tensor:
        return self.encoder(self.normalize(images))
