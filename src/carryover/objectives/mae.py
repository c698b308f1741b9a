"""Masked autoencoder: predict hidden patches from the visible ones (He et al., CVPR 2022), on transformers' ViTMAE."""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import ViTMAEConfig, ViTMAEForPreTraining

from carryover._core.errors import InputError
from carryover.models.seeding import seeded_torch
from carryover.objectives.keyed import Key
from carryover.objectives.masking import STRATEGIES, Strategy, n_visible, patch_grid, patch_order
from carryover.objectives.positions import grid_positions


class MaskedAutoencoder(nn.Module):
    """ViTMAE with masks that are functions of the example's id; ``encoder`` is its ViT, without the decoder.

    The loss is the mean squared error over hidden patches, of pixels or of patches normalised to mean 0 and variance 1
    (``norm_pix_loss`` of the config).  Features: the mean of the patch tokens of the whole image after the last norm.
    ``mean_loss`` is what predicting every hidden patch's mean costs: a run that stays near it has learned nothing.
    """

    couples_batch = False

    def __init__(
        self, model: ViTMAEForPreTraining, strategy: Strategy = "patch", normalize: nn.Module | None = None
    ) -> None:
        super().__init__()
        config = model.config
        if strategy not in STRATEGIES:
            raise InputError(f"mask strategy must be one of {STRATEGIES}, got {strategy!r}")
        self.grid = patch_grid(config.image_size, config.image_size, config.patch_size)
        n_visible(self.grid[0] * self.grid[1], config.mask_ratio)
        self.strategy = strategy
        self.model = model
        self.normalize = normalize or nn.Identity()

    @property
    def encoder(self) -> nn.Module:
        return self.model.vit

    def loss(self, images: Tensor, key: Key) -> Tensor:
        return self.model(self.normalize(images), noise=patch_order(key, self.grid, self.strategy)).loss

    def losses(self, images: Tensor, key: Key) -> Tensor:
        found = self.model(self.normalize(images), noise=patch_order(key, self.grid, self.strategy))
        error = (found.logits - self._target(images)).square().mean(dim=-1)
        return (error * found.mask).sum(dim=1) / found.mask.sum(dim=1)

    def _target(self, images: Tensor) -> Tensor:
        """Patches (b, n, p) that are predicted."""
        target = self.model.patchify(self.normalize(images))
        if self.model.config.norm_pix_loss:
            target = (target - target.mean(dim=-1, keepdim=True)) / (
                target.var(dim=-1, keepdim=True) + 1e-6
            ).sqrt()
        return target

    def encode(self, images: Tensor) -> Tensor:
        """Mean patch token (b, hidden) of images none of whose patches is hidden."""
        vit = self.model.vit
        embeddings = vit.embeddings
        position = embeddings.position_embeddings
        patches = embeddings.patch_embeddings(self.normalize(images)) + position[:, 1:]
        first = (embeddings.cls_token + position[:, :1]).expand(len(images), -1, -1)
        hidden = torch.cat([first, patches], dim=1)
        for layer in vit.layers:
            hidden = layer(hidden, None)
        return vit.layernorm(hidden)[:, 1:].mean(dim=1)

    def encode_masked(self, images: Tensor, key: Key) -> Tensor:
        """Mean visible patch token (b, hidden) of images masked as in pretraining; the hidden patches cost nothing."""
        order = patch_order(key, self.grid, self.strategy)
        return self.model.vit(self.normalize(images), noise=order).last_hidden_state[:, 1:].mean(dim=1)

    @torch.no_grad()
    def mean_loss(self, images: Tensor) -> float:
        """The loss of predicting each patch's mean, over all patches: 1 - 1/p for normalised patches of p numbers."""
        target = self._target(images)
        return float((target - target.mean(dim=-1, keepdim=True)).square().mean())


def vit_mae(
    *,
    image_size: int,
    patch_size: int,
    channels: int = 3,
    width: int = 192,
    depth: int = 12,
    heads: int = 3,
    decoder_width: int = 128,
    decoder_depth: int = 4,
    decoder_heads: int = 4,
    mask_ratio: float = 0.75,
    normalize_patches: bool = True,
    strategy: Strategy = "patch",
    normalize: nn.Module | None = None,
    seed: int = 0,
    **others: Any,
) -> MaskedAutoencoder:
    """A masked autoencoder with random weights from ``seed``; the defaults are ViT-Tiny with a light decoder.

    ``others`` go to transformers' ViTMAEConfig.  Raises InputError for sizes that do not divide and for mask
    ratios that leave nothing visible or nothing to predict.
    """
    patch_grid(image_size, image_size, patch_size)
    if width % heads or decoder_width % decoder_heads:
        raise InputError(
            f"heads must divide the width: got {width} / {heads} and, in the decoder, {decoder_width} / {decoder_heads}"
        )
    config = ViTMAEConfig(
        image_size=image_size,
        patch_size=patch_size,
        num_channels=channels,
        hidden_size=width,
        num_hidden_layers=depth,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        decoder_hidden_size=decoder_width,
        decoder_num_hidden_layers=decoder_depth,
        decoder_num_attention_heads=decoder_heads,
        decoder_intermediate_size=4 * decoder_width,
        mask_ratio=mask_ratio,
        norm_pix_loss=normalize_patches,
        **others,
    )
    with seeded_torch(seed):
        model = ViTMAEForPreTraining(config)
        _start_tokens(model)
        return MaskedAutoencoder(model, strategy, normalize)


@torch.no_grad()
def _start_tokens(model: ViTMAEForPreTraining) -> None:
    """Positions by sines and cosines, class and mask token normal, as MAE starts.

    transformers 5 leaves them all 0 in a model made from a config, and never trains the positions: such a network
    cannot tell one place from another.
    """
    embeddings, decoder, config = model.vit.embeddings, model.decoder, model.config
    grid = patch_grid(config.image_size, config.image_size, config.patch_size)
    for positions in (embeddings.position_embeddings, decoder.decoder_pos_embed):
        positions[0, 1:] = grid_positions(grid, positions.shape[-1])
    for token in (embeddings.cls_token, decoder.mask_token):
        token.normal_(std=config.initializer_range)
