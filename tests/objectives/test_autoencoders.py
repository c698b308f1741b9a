"""Masked, context and denoising autoencoders: naive loops, what has no gradient, batches that change nothing."""

import pytest
import torch
from torch import nn
from transformers import ViTMAEForPreTraining

from carryover._core.errors import InputError
from carryover.objectives.base import Objective
from carryover.objectives.context_encoder import ContextEncoder
from carryover.objectives.denoising import DenoisingAutoencoder
from carryover.objectives.keyed import Key
from carryover.objectives.mae import vit_mae
from carryover.objectives.masking import hidden_patches, over_pixels, patch_order
from carryover.objectives.positions import grid_positions

SMALL = {"image_size": 16, "patch_size": 4, "width": 12, "depth": 2, "heads": 2}
SMALL |= {"decoder_width": 8, "decoder_depth": 1, "decoder_heads": 2}
KEY = Key(0, 3, torch.arange(5))
IMAGES = torch.randn(5, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def linear_pair(pixels: int = 3 * 16 * 16, width: int = 7) -> tuple[nn.Module, nn.Module]:
    generator = torch.Generator().manual_seed(2)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(pixels, width))
    decoder = nn.Sequential(nn.Linear(width, pixels), nn.Unflatten(1, (3, 16, 16)))
    for weight in (*encoder.parameters(), *decoder.parameters()):
        weight.data = 0.1 * torch.randn(weight.shape, generator=generator)
    return encoder, decoder


def objectives() -> list[Objective]:
    encoder, decoder = linear_pair()
    return [
        vit_mae(**SMALL),
        DenoisingAutoencoder(encoder, decoder),
        ContextEncoder(encoder, decoder, image_size=16, region=6),
    ]


@pytest.mark.parametrize("objective", objectives(), ids=lambda one: type(one).__name__)
@torch.no_grad()
def test_a_batch_is_the_mean_of_its_examples_in_any_order(objective):
    assert isinstance(objective, Objective)
    whole = float(objective.loss(IMAGES, KEY))
    torch.testing.assert_close(objective.losses(IMAGES, KEY).mean(), torch.tensor(whole))
    single = [float(objective.loss(IMAGES[i : i + 1], Key(0, 3, torch.tensor([i])))) for i in range(5)]
    assert whole == pytest.approx(sum(single) / 5, rel=1e-5)
    order = torch.tensor([3, 1, 4, 0, 2])
    assert float(objective.loss(IMAGES[order], Key(0, 3, order))) == pytest.approx(whole, rel=1e-5)
    assert float(objective.loss(IMAGES, KEY.at(4))) != whole
    assert objective.encode(IMAGES).shape[0] == 5 and objective.encode(IMAGES).ndim == 2


@pytest.mark.parametrize("objective", objectives(), ids=lambda one: type(one).__name__)
def test_the_global_generator_is_left_alone(objective):
    before = torch.get_rng_state()
    objective.loss(IMAGES, KEY)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("strategy", ["patch", "block"])
@pytest.mark.parametrize("normalize", [False, True])
@torch.no_grad()
def test_mae_is_the_loop_over_hidden_patches(strategy, normalize):
    objective = vit_mae(**SMALL, strategy=strategy, normalize_patches=normalize, mask_ratio=0.6)
    order = patch_order(KEY, (4, 4), strategy)
    predicted = objective.model(IMAGES, noise=order).logits
    mask, total, count = hidden_patches(order, 0.6), 0.0, 0
    for example in range(5):
        for place in range(16):
            if mask[example, place] == 0:
                continue
            row, column = 4 * (place // 4), 4 * (place % 4)
            patch = IMAGES[example, :, row : row + 4, column : column + 4].permute(1, 2, 0).reshape(-1)
            if normalize:
                patch = (patch - patch.mean()) / (patch.var() + 1e-6).sqrt()
            total += float((predicted[example, place] - patch).square().mean())
            count += 1
    assert float(objective.loss(IMAGES, KEY)) == pytest.approx(total / count, rel=1e-5)


def test_hidden_pixels_do_not_reach_the_encoder():
    objective = vit_mae(**SMALL, normalize_patches=False)
    images = IMAGES.clone().requires_grad_()
    order = patch_order(KEY, (4, 4))
    objective.model(images, noise=order).logits.sum().backward()
    hidden = over_pixels(hidden_patches(order, 0.75), (4, 4), 4).expand_as(images) == 1
    assert (images.grad[hidden] == 0).all() and (images.grad[~hidden] != 0).any()


@torch.no_grad()
def test_whole_images_are_encoded_as_transformers_does_without_mask():
    objective = vit_mae(**SMALL)
    config = type(objective.model.config)(**{**objective.model.config.to_dict(), "mask_ratio": 0.0})
    twin = ViTMAEForPreTraining(config)
    twin.load_state_dict(objective.model.state_dict())
    keep_order = torch.arange(16.0).expand(5, 16)
    expected = twin.vit(IMAGES, noise=keep_order).last_hidden_state[:, 1:].mean(dim=1)
    torch.testing.assert_close(objective.encode(IMAGES), expected, rtol=1e-5, atol=1e-6)


def test_the_masked_features_are_the_mean_of_visible_tokens_and_know_nothing_of_the_rest():
    objective = vit_mae(**SMALL)
    images = IMAGES.clone().requires_grad_()
    found = objective.encode_masked(images, KEY)
    order = patch_order(KEY, (4, 4))
    with torch.no_grad():
        # One example at a time, its visible patches alone, as transformers would see an image of four patches.
        embeddings = objective.model.vit.embeddings
        for example in range(5):
            kept = order[example].argsort()[:4]
            patches = embeddings.patch_embeddings(IMAGES[example : example + 1])[:, kept]
            first = embeddings.cls_token + embeddings.position_embeddings[:, :1]
            tokens = torch.cat([first, patches + embeddings.position_embeddings[:, 1 + kept]], dim=1)
            for layer in objective.model.vit.layers:
                tokens = layer(tokens, None)
            expected = objective.model.vit.layernorm(tokens)[0, 1:].mean(dim=0)
            torch.testing.assert_close(found[example].detach(), expected, rtol=1e-5, atol=1e-6)
    found.sum().backward()
    hidden = over_pixels(hidden_patches(order, 0.75), (4, 4), 4).expand_as(images) == 1
    assert (images.grad[hidden] == 0).all() and (images.grad[~hidden] != 0).any()


@torch.no_grad()
def test_predicting_the_mean_costs_what_is_said():
    objective = vit_mae(**SMALL)
    assert objective.mean_loss(IMAGES) == pytest.approx(1.0 - 1.0 / 48.0, rel=1e-4)


@torch.no_grad()
def test_context_encoder_is_the_loop_over_the_region():
    encoder, decoder = linear_pair()
    objective = ContextEncoder(encoder, decoder, image_size=16, region=6)
    mask = objective.hidden(KEY)
    assert (mask.sum(dim=(1, 2, 3)) == 36).all()
    rows, columns = mask[:, 0].amax(dim=2), mask[:, 0].amax(dim=1)
    assert (rows.sum(dim=1) == 6).all() and (columns.sum(dim=1) == 6).all()
    total = 0.0
    for image, own in zip(IMAGES, mask, strict=True):
        seen = image.clone()
        seen[:, own[0] == 1] = 0.0
        found = decoder(encoder(seen[None]))[0]
        total += float((found - image)[:, own[0] == 1].square().mean())
    assert float(objective.loss(IMAGES, KEY)) == pytest.approx(total / 5, rel=1e-5)


def test_what_lies_outside_the_region_has_no_error_and_what_lies_inside_is_not_seen():
    encoder, decoder = linear_pair()
    objective = ContextEncoder(encoder, decoder, image_size=16, region=6)
    images = IMAGES.clone().requires_grad_()
    mask = objective.hidden(KEY).expand_as(images)
    decoder(encoder(images * (1 - mask))).sum().backward()
    assert (images.grad[mask == 1] == 0).all()
    # A decoder that is right inside has no loss, whatever it says outside.
    truth = IMAGES * mask.detach() + 5.0 * (1 - mask.detach())
    perfect = ContextEncoder(nn.Identity(), _Says(truth), image_size=16, region=6)
    assert float(perfect.loss(IMAGES, KEY)) == 0.0


class _Says(nn.Module):
    def __init__(self, answer: torch.Tensor) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, _: torch.Tensor) -> torch.Tensor:
        return self.answer


@torch.no_grad()
def test_denoising_compares_with_the_clean_image():
    noise_seen = []

    class Keeps(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            noise_seen.append(images - IMAGES)
            return images

    identity = DenoisingAutoencoder(Keeps(), nn.Identity(), noise_std=0.5)
    loss = float(identity.loss(IMAGES, KEY))
    assert loss == pytest.approx(float(noise_seen[0].square().mean()), rel=1e-5)
    assert loss == pytest.approx(0.25, rel=0.1)
    clean = DenoisingAutoencoder(nn.Identity(), _Says(IMAGES), noise_std=0.5)
    assert float(clean.loss(IMAGES, KEY)) == 0.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: vit_mae(**{**SMALL, "patch_size": 5}), "does not divide into patches of 5 x 5"),
        (lambda: vit_mae(**SMALL, mask_ratio=0.99), "leaves nothing visible"),
        (lambda: vit_mae(**SMALL, strategy="stripes"), "mask strategy must be one of"),
        (lambda: vit_mae(**{**SMALL, "heads": 5}), "heads must divide the width"),
        (lambda: ContextEncoder(*linear_pair(), image_size=16, region=16), "leaves nothing visible"),
        (lambda: ContextEncoder(*linear_pair(), image_size=16, region=0), "leaves nothing to predict"),
        (lambda: DenoisingAutoencoder(*linear_pair(), noise_std=0.0), "noise_std must be > 0, got 0"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_positions_are_told_apart_by_dot_products_that_depend_on_the_distance_alone():
    table = grid_positions((3, 5), 8).double().reshape(3, 5, 8)
    # cos(a) cos(b) + sin(a) sin(b) = cos(a - b): a sum of cosines of row and column distance.
    rates = torch.tensor([1.0, 0.01], dtype=torch.float64)
    for here in ((0, 0), (1, 3), (2, 4)):
        for there in ((0, 1), (2, 0)):
            rows, columns = here[0] - there[0], here[1] - there[1]
            expected = torch.cos(rates * rows).sum() + torch.cos(rates * columns).sum()
            torch.testing.assert_close(table[here] @ table[there], expected, atol=1e-6, rtol=0)
    with pytest.raises(InputError, match="multiple of 4"):
        grid_positions((2, 2), 6)


def test_a_new_masked_autoencoder_knows_places_and_learns_what_only_places_tell():
    objective = vit_mae(**SMALL)
    generator = torch.Generator().manual_seed(5)
    # Moving patches around changes what the encoder says: it is not blind to position.
    patches = IMAGES.unfold(2, 4, 4).unfold(3, 4, 4)
    moved = patches.flip(2).permute(0, 1, 2, 4, 3, 5).reshape(IMAGES.shape)
    assert (objective.encode(IMAGES) - objective.encode(moved)).abs().max() > 1e-3
    # Images that are noise plus one fixed, centred pattern in each place: the pattern is predictable from place alone.
    config = {**SMALL, "normalize_patches": False}
    objective = vit_mae(**config)
    pattern = torch.randn(1, 3, 16, 16, generator=generator)
    optimizer = torch.optim.Adam(objective.parameters(), 1e-2)
    for step in range(120):
        ids = torch.arange(16) + 16 * step
        images = pattern + 0.3 * torch.randn(16, 3, 16, 16, generator=generator)
        optimizer.zero_grad()
        loss = objective.loss(images, Key(0, step, ids))
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.5 * float(pattern.var())
