"""The demo's inputs: scikit-learn's digits as a small pretraining task and a shifted target with few labels."""

from pathlib import Path

import numpy as np

from carryover._core.seeding import derive_generator, derive_seed

N_SOURCE = 900
NOISE_STD = 40.0
EPOCHS = 30
CONFIG = """\
# What `carryover demo` diagnoses.  Run it again with: carryover diagnose {config} --out DIR
seed = {seed}

[target]
path = "target"
n_labels = 200

# What the small network was trained on: the same digits, other writers' images, without noise.
[pretraining_sample]
path = "source"

[[models]]
name = "small network"
factory = "carryover.models.backbones:small_cnn"
weights = "small_cnn.safetensors"
arguments = {{ n_classes = 10, channels = 1 }}

[[models]]
name = "small network, untrained"
factory = "carryover.models.backbones:small_cnn"
arguments = {{ n_classes = 10, channels = 1 }}

[[models]]
name = "random convolution"
baseline = "random_convolution"

[[models]]
name = "PCA"
baseline = "pca"

[[models]]
name = "raw pixels"
baseline = "pixels"
"""


def prepare_digits(directory: Path, *, seed: int = 0) -> Path:
    """Write source, target, a trained network and a config into ``directory``; returns the config's path.

    Of the 1,797 8 x 8 digits, 900 with their labels train a small convolutional network; the others, with
    Gaussian pixel noise of standard deviation 40 of 255, are the target.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)
    generator = derive_generator(seed, "digits")
    order = generator.permutation(len(images))
    source, target = order[:N_SOURCE], order[N_SOURCE:]
    noisy = images[target] + generator.normal(0, NOISE_STD, images[target].shape)
    directory.mkdir(parents=True, exist_ok=True)
    _write_images(directory / "source", images[source], digits.target[source])
    _write_images(
        directory / "target", np.clip(np.round(noisy), 0, 255).astype(np.uint8), digits.target[target]
    )
    _train(directory / "small_cnn.safetensors", images[source], digits.target[source], seed=seed)
    config = directory / "config.toml"
    config.write_text(CONFIG.format(config=config, seed=seed), encoding="utf-8")
    return config


def _write_images(folder: Path, images: np.ndarray, labels: np.ndarray) -> None:
    from datasets import ClassLabel, Dataset, Features, Image
    from PIL import Image as Picture

    folder.mkdir(exist_ok=True)
    features = Features({"image": Image(), "label": ClassLabel(names=[str(digit) for digit in range(10)])})
    rows = {"image": [Picture.fromarray(image) for image in images], "label": labels.tolist()}
    Dataset.from_dict(rows, features=features).to_parquet(folder / "train-00000-of-00001.parquet")


def _train(weights: Path, images: np.ndarray, labels: np.ndarray, *, seed: int) -> None:
    """Train the small network on clean digits by Adam, with random shifts of one pixel."""
    import torch
    from safetensors.torch import save_file
    from torch.nn import functional as F

    from carryover.models.backbones import small_cnn

    network = small_cnn(10, channels=1, seed=derive_seed(seed, "digits network") % 2**31)
    x = torch.from_numpy(images).float().div(255)[:, None]
    y = torch.from_numpy(labels).long()
    generator = torch.Generator().manual_seed(derive_seed(seed, "digits batches") % 2**31)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    network.train()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x), generator=generator).split(100):
            shift = torch.randint(-1, 2, (2,), generator=generator).tolist()
            loss = F.cross_entropy(network(x[rows].roll(shift, dims=(2, 3))), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
    save_file({name: tensor.contiguous() for name, tensor in network.eval().state_dict().items()}, weights)
