"""Masks: their ratio, their shape, what is refused."""

import pytest
import torch

from carryover._core.errors import InputError
from carryover.objectives.keyed import Key
from carryover.objectives.masking import hidden_patches, n_visible, over_pixels, patch_grid, patch_order

KEY = Key(0, 2, torch.arange(300))


@pytest.mark.parametrize("strategy", ["patch", "block"])
@pytest.mark.parametrize("ratio", [0.5, 0.75, 0.9])
def test_every_example_hides_the_same_number(strategy, ratio):
    mask = hidden_patches(patch_order(KEY, (8, 8), strategy), ratio)
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert (mask.sum(dim=1) == 64 - n_visible(64, ratio)).all()


def test_patches_are_hidden_alike_and_blocks_hang_together():
    scattered = hidden_patches(patch_order(KEY, (8, 8), "patch"), 0.5)
    assert (scattered.mean(dim=0) - 0.5).abs().max() < 5 * 0.5 / 300**0.5
    block = hidden_patches(patch_order(KEY, (8, 8), "block"), 0.5).reshape(-1, 8, 8)

    def borders(mask):  # neighbouring pairs of which one is hidden
        mask = mask.reshape(-1, 8, 8)
        return (
            (mask[:, 1:] != mask[:, :-1]).sum((1, 2)) + (mask[:, :, 1:] != mask[:, :, :-1]).sum((1, 2))
        ).float()

    assert borders(block).mean() < 0.5 * borders(scattered).mean()
    # A block is convex along rows once its ragged last ring is set aside: every row's inner part is one run.
    order = patch_order(KEY, (8, 8), "block")
    ring = (-order).ceil().long()  # 1 + distance from the centre
    for own, rings in zip(block, ring.reshape(-1, 8, 8), strict=True):
        largest = int(rings[own == 1].max())
        assert (own[rings < largest] == 1).all() and (own[rings > largest] == 0).all()


def test_the_order_is_what_vitmae_hides():
    import transformers

    config = transformers.ViTMAEConfig(
        hidden_size=12, num_hidden_layers=1, num_attention_heads=2, intermediate_size=12, image_size=16, patch_size=4,
        decoder_hidden_size=8, decoder_num_hidden_layers=1, decoder_num_attention_heads=2,
        decoder_intermediate_size=8, mask_ratio=0.6,
    )  # fmt: skip
    model = transformers.ViTMAEForPreTraining(config)
    order = patch_order(Key(0, 0, torch.arange(3)), (4, 4), "block")
    found = model(torch.zeros(3, 3, 16, 16), noise=order).mask
    assert torch.equal(found, hidden_patches(order, 0.6))


def test_pixels_of_a_patch_share_its_mask():
    mask = hidden_patches(patch_order(Key(0, 0, torch.arange(2)), (2, 3), "patch"), 0.5)
    pixels = over_pixels(mask, (2, 3), 4)
    assert pixels.shape == (2, 1, 8, 12)
    for row in range(2):
        for column in range(3):
            piece = pixels[:, 0, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
            assert (piece == mask[:, 3 * row + column, None, None]).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: n_visible(16, 0.99), "leaves nothing visible"),
        (lambda: n_visible(4, 1e-17), "leaves nothing to predict"),
        (lambda: n_visible(16, 1.0), r"must lie in \(0, 1\), got 1"),
        (lambda: patch_grid(30, 32, 4), "30 x 32 pixels does not divide"),
        (lambda: patch_order(KEY, (2, 2), "stripes"), "mask strategy must be one of"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
