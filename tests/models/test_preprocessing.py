"""Preprocessing agrees with Pillow and with NumPy arithmetic."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from carryover._core.errors import InputError
from carryover.models.preprocessing import Preprocessing

PILLOW = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}


def images(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@given(
    mean=st.lists(st.floats(0, 1), min_size=3, max_size=3),
    std=st.lists(st.floats(0.1, 2), min_size=3, max_size=3),
    n=st.integers(1, 4),
)
def test_normalisation_is_x_over_255_minus_mean_over_std(mean, std, n):
    given_images = images(n, 5, 4, 3)
    got = Preprocessing(mean=tuple(mean), std=tuple(std)).apply(given_images)
    expected = ((given_images / 255 - np.array(mean)) / np.array(std)).transpose(0, 3, 1, 2)
    assert got.dtype == torch.float32
    assert np.allclose(got.numpy(), expected, atol=2e-5)


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(16, 16), (40, 24), (8, 30)])
def test_resizing_agrees_with_pillow_within_one_level(mode, size):
    # Little contrast: bicubic overshoot past 0 or 255 is cut between the two passes, in an order of each library's own.
    given_images = 80 + images(3, 20, 28, 3) // 3
    got = Preprocessing(image_size=size, resize_mode=mode, rescale=1.0).apply(given_images).numpy()
    height, width = size
    for image, resized in zip(given_images, got.transpose(0, 2, 3, 1), strict=True):
        expected = np.asarray(Image.fromarray(image).resize((width, height), PILLOW[mode]), dtype=float)
        assert np.abs(resized - expected).max() <= 1


def test_shortest_edge_then_central_crop():
    given_images = images(2, 20, 40, 3)
    got = Preprocessing(shortest_edge=20, crop_size=(10, 12), rescale=1.0).apply(given_images)
    expected = given_images[:, 5:15, 14:26].transpose(0, 3, 1, 2)
    assert np.array_equal(got.numpy(), expected)
    resized = Preprocessing(shortest_edge=10, rescale=1.0)
    assert resized.apply(given_images).shape == (2, 3, 10, 20)
    assert resized.apply(given_images.transpose(0, 2, 1, 3)).shape == (2, 3, 20, 10)


def test_gray_to_rgb_repeats_and_rgb_to_gray_is_pillows():
    gray, colour = images(2, 6, 6, 1), images(2, 6, 6, 3)
    repeated = Preprocessing(channels=3, rescale=1.0).apply(gray)
    assert np.array_equal(repeated.numpy(), np.repeat(gray, 3, axis=3).transpose(0, 3, 1, 2))
    turned = Preprocessing(channels=1, rescale=1.0).apply(colour)
    expected = np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in colour])[:, None]
    assert np.abs(turned.numpy() - expected).max() <= 1


def test_images_are_not_changed_and_read_only_ones_are_accepted():
    given_images = images(2, 6, 6, 3)
    copy = given_images.copy()
    given_images.setflags(write=False)
    Preprocessing(mean=(0.5,), std=(0.5,)).apply(given_images)
    assert np.array_equal(given_images, copy)


def test_the_sentence_says_every_step():
    steps = Preprocessing(
        shortest_edge=256,
        crop_size=(224, 224),
        resize_mode="bicubic",
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
        channels=3,
    )
    sentence = steps.sentence()
    for words in (
        "shorter side of 256 (bicubic)",
        "cropped centrally to 224x224",
        "1/255",
        "[0.5, 0.5, 0.5]",
        "RGB",
    ):
        assert words in sentence


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": (0, 4)}, "image_size must be"),
        ({"crop_size": (3,)}, "crop_size must be"),
        ({"resize_mode": "lanczos"}, "resize_mode must be nearest, bilinear or bicubic, got 'lanczos'"),
        ({"channels": 4}, "channels must be 1"),
        ({"mean": (0.5,)}, "mean and std must be given together"),
        ({"mean": (0.5,) * 2, "std": (0.5,) * 2}, "one number a channel"),
        ({"mean": (0.5,), "std": (0.0,)}, "std must be positive"),
    ],
)
def test_impossible_settings_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        Preprocessing(**arguments)


def test_wrong_images_are_refused():
    for wrong in (np.zeros((2, 4, 4), np.uint8), np.zeros((2, 4, 4, 3)), np.zeros((2, 4, 4, 4), np.uint8)):
        with pytest.raises(InputError, match="images must be uint8 of shape"):
            Preprocessing().apply(wrong)
    with pytest.raises(InputError, match="smaller than the crop of 9x9"):
        Preprocessing(crop_size=(9, 9)).apply(images(1, 4, 4, 3))
