"""The backbones are what they say: published accuracies, parameter counts, and draws that follow a seed."""

import io
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import torch
from PIL import Image
from scipy.stats import binomtest
from torch.nn import functional

from carryover._core.errors import InputError
from carryover.models.backbones import cifar_resnet20, cifar_resnet56, random_convolution, small_cnn
from carryover.models.features import extract_features
from carryover.models.loading import ModelSource, load_model

CIFAR_MEAN, CIFAR_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def cifar10_test(data_root: Path) -> tuple[np.ndarray, np.ndarray]:
    table = pyarrow.parquet.read_table(data_root / "data" / "cifar10" / "test-00000-of-00001.parquet")
    decoded = [
        np.asarray(Image.open(io.BytesIO(cell["bytes"])).convert("RGB")) for cell in table["img"].to_pylist()
    ]
    return np.stack(decoded), np.asarray(table["label"])


def predicted_accuracy(data_root: Path, tmp_path: Path, make_images, *, factory: str, weights: str):
    pixels, labels = cifar10_test(data_root)
    images = make_images(1)
    images.pixels = pixels
    spec = ModelSource(
        "cifar",
        factory=f"carryover.models.backbones:{factory}",
        weights=data_root / "checkpoints" / weights,
        mean=CIFAR_MEAN,
        std=CIFAR_STD,
    )
    model = load_model(spec)
    features = extract_features(model, images, cache_dir=tmp_path)
    probabilities = features.source_probabilities.all()
    # The head on the features written must be the head's own prediction: features are what enters it.
    logits = torch.from_numpy(features.all()) @ model.module.linear.weight.T + model.module.linear.bias
    assert np.allclose(torch.softmax(logits.double(), 1).numpy(), probabilities, atol=1e-5)
    return int((probabilities.argmax(axis=1) == labels).sum()), len(labels)


def test_resnet20_reaches_its_published_accuracy(data_root, tmp_path, make_images):
    n_right, n = predicted_accuracy(
        data_root, tmp_path, make_images, factory="cifar_resnet20", weights="resnet20-12fca82f.th"
    )
    assert n == 5000
    assert binomtest(n_right, n, 0.9173).pvalue > 0.01, n_right / n


@pytest.mark.slow
def test_resnet56_reaches_its_published_accuracy(data_root, tmp_path, make_images):
    n_right, n = predicted_accuracy(
        data_root, tmp_path, make_images, factory="cifar_resnet56", weights="resnet56-4bfd9763.th"
    )
    assert binomtest(n_right, n, 0.9339).pvalue > 0.01, n_right / n


def test_parameter_counts_follow_the_layer_formula():
    def count(k: int) -> int:
        convolutions = 9 * (
            3 * 16 + 2 * k * 16 * 16 + 16 * 32 + (2 * k - 1) * 32 * 32 + 32 * 64 + (2 * k - 1) * 64 * 64
        )
        norms = 2 * 16 + 2 * 2 * k * (16 + 32 + 64)
        return convolutions + norms + 64 * 10 + 10

    assert sum(p.numel() for p in cifar_resnet20().parameters()) == count(3)
    assert sum(p.numel() for p in cifar_resnet56().parameters()) == count(9)


def test_weights_follow_the_seed_and_leave_the_global_generator_alone():
    before = torch.get_rng_state()
    first, again, other = cifar_resnet20(seed=1), cifar_resnet20(seed=1), cifar_resnet20(seed=2)
    small_cnn(3, seed=4)
    random_convolution(seed=5)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first.linear.weight, again.linear.weight)
    assert not torch.equal(first.linear.weight, other.linear.weight)


def test_random_convolution_agrees_with_a_loop_over_patches():
    network = random_convolution(seed=3, channels=2, n_filters=4, size=3, grid=2)
    images = torch.rand(3, 2, 6, 6, generator=torch.Generator().manual_seed(0))
    responses = torch.zeros(3, 4, 4, 4)
    for row in range(4):
        for column in range(4):
            patch = images[:, :, row : row + 3, column : column + 3].flatten(1)
            responses[:, :, row, column] = functional.relu(patch @ network.filters.flatten(1).T)
    cells = responses.view(3, 4, 2, 2, 2, 2).mean(dim=(3, 5))
    assert torch.allclose(network(images), cells.flatten(1), atol=1e-6)


def test_random_filters_are_unit_and_blind_to_constants():
    network = random_convolution(seed=0, n_filters=16)
    assert torch.allclose(network.filters.flatten(1).norm(dim=1), torch.ones(16), atol=1e-6)
    assert network(torch.full((1, 3, 8, 8), 0.7)).abs().max() < 1e-5


def test_impossible_sizes_are_refused():
    with pytest.raises(InputError, match="n_filters, size and grid must be at least 1"):
        random_convolution(n_filters=0)
    with pytest.raises(InputError, match="n_classes, channels and width must be at least 1"):
        small_cnn(0)
    with pytest.raises(InputError, match="smaller than the random filters"):
        random_convolution(size=5)(torch.zeros(1, 3, 4, 4))
