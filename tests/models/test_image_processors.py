"""``preprocessor_config.json`` in the forms that are found in the wild, against what transformers does with them."""

import numpy as np
import pytest
import torch
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.convnext.image_processing_pil_convnext import ConvNextImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from carryover._core.errors import InputError
from carryover.models.image_processors import read_image_processor
from carryover.models.preprocessing import Preprocessing

PROCESSORS = [
    ViTImageProcessorPil(size={"height": 12, "width": 12}),
    ViTImageProcessorPil(size={"height": 12, "width": 16}, resample=3, do_normalize=False),
    CLIPImageProcessorPil(size={"shortest_edge": 12}, crop_size={"height": 10, "width": 8}),
    ConvNextImageProcessorPil(size={"shortest_edge": 14}, crop_pct=0.875),
    ViTImageProcessorPil(do_resize=False, do_rescale=False),
]


@pytest.mark.parametrize("processor", PROCESSORS, ids=lambda processor: type(processor).__name__)
def test_agrees_with_transformers_within_one_level(processor):
    images = np.random.default_rng(0).integers(80, 176, (2, 20, 28, 3), dtype=np.uint8)
    stated = processor.to_dict()
    preprocessing = read_image_processor(stated)
    got = preprocessing.apply(images).numpy()
    expected = np.stack(processor(list(images), return_tensors="np")["pixel_values"])
    assert got.shape == expected.shape
    level = preprocessing.rescale / min(preprocessing.std or (1.0,))
    assert np.abs(got - expected).max() <= 1.01 * level


def test_old_forms_of_size():
    assert read_image_processor({"size": 24}).image_size == (24, 24)
    clip = read_image_processor({"size": 24, "do_center_crop": True, "crop_size": 20})
    assert clip.shortest_edge == 24 and clip.crop_size == (20, 20)
    assert read_image_processor({"size": {"shortest_edge": 384}, "crop_pct": 0.875}).image_size == (384, 384)
    assert read_image_processor({"size": [24, 30]}).image_size == (24, 30)
    assert read_image_processor({}) == Preprocessing()


def test_what_cannot_be_followed_is_refused():
    with pytest.raises(InputError, match=r"Pillow filter 1: 0 \(nearest\), 2 \(bilinear\)"):
        read_image_processor({"size": 24, "resample": 1})
    with pytest.raises(InputError, match="a size needs height and width"):
        read_image_processor({"size": {"longest_edge": 3}})
    assert torch.is_tensor(read_image_processor({"size": 4}).apply(np.zeros((1, 4, 4, 3), np.uint8)))
