"""Features of patches: their mean is the pooled feature, each stands where its patch is."""

import numpy as np
import pytest
import torch
from torch import nn

from carryover._core.errors import InputError
from carryover.experiments.entries.dhzm.patch_features import image_features
from carryover.models.encoders import ImageSize
from carryover.objectives.building import build_objective
from carryover.objectives.context_encoder import ContextEncoder
from carryover.objectives.specs import ObjectiveSpec

MAE = ObjectiveSpec("mae", width=16, depth=1, heads=2, decoder_width=8, decoder_depth=1, patch_size=4)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (7, 12, 12)).astype(np.uint8)


def built(spec):
    return build_objective(spec, ImageSize(12, 12, 1), mean=(0.3,), std=(0.4,), seed=1)


def test_the_mean_of_the_tokens_is_what_the_objective_encodes(images):
    objective = built(MAE).train()
    found = image_features(objective, images, grid=3)
    assert found.patches.shape == (7, 9, 16) and objective.training
    np.testing.assert_allclose(found.patches.mean(axis=1), found.pooled, atol=1e-6)
    whole = objective.eval().encode(torch.from_numpy(images)[:, None].float() / 255.0)
    np.testing.assert_allclose(found.pooled, whole.detach().numpy(), atol=1e-6)


def test_a_token_is_that_of_its_patch(images):
    """Without layers a token depends on its own patch alone."""
    objective = built(MAE)
    objective.model.vit.layers = nn.ModuleList()
    changed = images.copy()
    changed[:, 4:8, 8:12] = 255 - changed[:, 4:8, 8:12]
    before, after = (image_features(objective, one, grid=3).patches for one in (images, changed))
    moved = np.abs(before - after).max(axis=2) > 1e-6
    np.testing.assert_array_equal(moved, np.broadcast_to(np.arange(9) == 3 + 2, (7, 9)))


def test_of_a_convolutional_encoder_the_pooled_map_is_averaged_to_the_grid(images):
    encoder = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    nn.init.ones_(encoder[0].weight)
    objective = ContextEncoder(encoder, nn.Identity(), image_size=12, region=3)
    found = image_features(objective, images, grid=3)
    blocks = images.reshape(7, 3, 4, 3, 4).mean(axis=(2, 4)).reshape(7, 9) / 255.0
    np.testing.assert_allclose(found.patches[:, :, 0], blocks, atol=1e-6)
    np.testing.assert_allclose(found.pooled[:, 0], images.mean(axis=(1, 2)) / 255.0, atol=1e-6)


def test_misuse_is_named(images):
    with pytest.raises(InputError, match="grid must be that of the encoder's tokens, 3 x 3, got 4"):
        image_features(built(MAE), images, grid=4)
    flat = ObjectiveSpec("denoising", encoder="fully_connected", width=4, decoder_hidden=0)
    with pytest.raises(InputError, match="Sequential has no features of patches: take a masked autoencoder"):
        image_features(built(flat), images, grid=3)
