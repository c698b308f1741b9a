"""From a spec to the objective it names, with random weights from its seed."""

from collections.abc import Sequence

from torch import nn

from carryover._core.errors import InputError
from carryover._core.seeding import derive_seed
from carryover.models.encoders import ImageSize, build_decoder, build_encoder, n_features
from carryover.models.seeding import seeded_torch
from carryover.objectives.base import Objective
from carryover.objectives.context_encoder import ContextEncoder
from carryover.objectives.contrastive import TwoViews, projection_head
from carryover.objectives.curl_views import CurlViews
from carryover.objectives.denoising import DenoisingAutoencoder
from carryover.objectives.mae import vit_mae
from carryover.objectives.normalize import Normalize
from carryover.objectives.specs import ObjectiveSpec
from carryover.objectives.views import Views


def build_objective(
    spec: ObjectiveSpec, size: ImageSize, *, mean: Sequence[float], std: Sequence[float], seed: int
) -> Objective:
    """The objective of ``spec`` for images of ``size``; InputError for sizes that do not fit it."""
    normalize = Normalize(mean, std)
    weights_seed = derive_seed(seed, "weights") % 2**63
    if spec.kind == "mae":
        return _mae(spec, size, normalize, weights_seed)
    encoder = build_encoder(spec.encoder, size, width=spec.width, seed=weights_seed)
    width = n_features(encoder, size)
    if spec.kind in ("simclr", "spectral", "curl"):
        with seeded_torch(weights_seed + 1):
            projector = projection_head(width, out=spec.projection) if spec.projection else nn.Identity()
        return _contrastive(spec, encoder, projector, normalize)
    decoder = build_decoder(size, features=width, hidden=spec.decoder_hidden, seed=weights_seed + 1)
    if spec.kind == "denoising":
        return DenoisingAutoencoder(encoder, decoder, noise_std=spec.noise_std, normalize=normalize)
    return _context(spec, size, encoder, decoder, normalize)


def _contrastive(
    spec: ObjectiveSpec, encoder: nn.Module, projector: nn.Module, normalize: nn.Module
) -> Objective:
    views = Views(spec.least_area, spec.flip, spec.jitter, spec.grey)
    if spec.kind == "curl":
        return CurlViews(
            encoder,
            projector,
            negatives=spec.negatives,
            block=spec.block,
            loss=spec.curl_loss,
            views=views,
            normalize=normalize,
        )
    return TwoViews(
        encoder, projector, loss=spec.kind, views=views, normalize=normalize, temperature=spec.temperature
    )


def _context(
    spec: ObjectiveSpec, size: ImageSize, encoder: nn.Module, decoder: nn.Module, normalize: nn.Module
) -> Objective:
    _check_square(spec, size)
    region = spec.region or size.height // 2
    return ContextEncoder(encoder, decoder, image_size=size.height, region=region, normalize=normalize)


def _mae(spec: ObjectiveSpec, size: ImageSize, normalize: nn.Module, seed: int) -> Objective:
    _check_square(spec, size)
    return vit_mae(
        image_size=size.height,
        patch_size=spec.patch_size,
        channels=size.channels,
        width=spec.width,
        depth=spec.depth,
        heads=spec.heads,
        decoder_width=spec.decoder_width,
        decoder_depth=spec.decoder_depth,
        decoder_heads=spec.decoder_heads,
        mask_ratio=spec.mask_ratio,
        normalize_patches=spec.normalize_patches,
        strategy=spec.mask_strategy,
        normalize=normalize,
        seed=seed,
    )


def _check_square(spec: ObjectiveSpec, size: ImageSize) -> None:
    if size.height != size.width:
        raise InputError(
            f"objective {spec.kind!r} takes square images, these are {size.height} x {size.width}: give image_size"
        )
