"""The demo's inputs: scikit-learn's digits to pretrain small encoders on, and a shifted target with few labels."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from carryover._core.seeding import derive_generator
from carryover.data.load import without_progress_bars

N_SOURCE, N_POOL = 900, 300
NOISE_STD = 70.0
CONFIG = """\
# What `carryover demo` diagnoses.  Run it again with: carryover diagnose {config} --out DIR
seed = {seed}

[target]
path = "target"
n_labels = 100
test_fraction = 0.5

# Noisy digits without labels: what RadReg looked at, and what PCA is fitted to.  None of them is in the target.
[unlabelled]
path = "pool"

# What the encoders were pretrained on: the same digits, other writers' images, without noise.
[pretraining_sample]
path = "source"
{models}
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
MODEL = """
[[models]]
name = "{name}"
path = "runs/{folder}"
"""
RECIPE = """\
# Pretrained by `carryover demo`.  Again: carryover pretrain {recipe} --out DIR --threads 1
seed = {seed}

[data]
path = "../source"

[objective]
{objective}

[train]
{train}
{regularizer}"""
DENOISING = (
    'kind = "denoising"\nencoder = "fully_connected"\nwidth = 128\ndecoder_hidden = 128\nnoise_std = 1.2'
)
LONG = "steps = 1500\nbatch_size = 64\nlearning_rate = 2e-3\nwarmup_steps = 20\nweight_decay = 0.01"
CONTRASTIVE = (
    'kind = "simclr"\nencoder = "convolutional"\nwidth = 48\nprojection = 32\n'
    "least_area = 0.5\nflip = 0.0\njitter = 0.4\ngrey = 0.0"
)
SHORT = "steps = 300\nbatch_size = 100\nlearning_rate = 3e-3\nwarmup_steps = 20\nweight_decay = 0.01"
L2 = '\n[regularizer]\nkind = "l2"\nstrength = 1e-3\n'
RADREG = '\n[downstream]\npath = "../pool"\n\n[regularizer]\nkind = "radreg"\nstrength = 0.1\n'
RECIPES = {
    "contrastive": ("contrastive", CONTRASTIVE, SHORT, ""),
    "denoising": ("denoising", DENOISING, LONG, ""),
    "denoising, L2": ("denoising-l2", DENOISING, LONG, L2),
    "denoising, RadReg": ("denoising-radreg", DENOISING, LONG, RADREG),
}


def prepare_digits(
    directory: Path, *, seed: int = 0, announce: Callable[[str], None] = lambda _: None
) -> Path:
    """Write the images, pretrain four encoders on those of the source, write the config; returns the config's path.

    Runs that are there are taken up.
    """
    write_digits(directory, seed=seed)
    _pretrain_all(directory, seed, announce)
    models = "".join(MODEL.format(name=name, folder=folder) for name, (folder, *_) in RECIPES.items())
    config = directory / "config.toml"
    config.write_text(CONFIG.format(config=config, seed=seed, models=models), encoding="utf-8")
    return config


def write_digits(directory: Path, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Write source, pool and target; returns the source's uint8 images (n, 8, 8) and their labels.

    Of the 1,797 digits, 900 without their labels are the source; the others get Gaussian pixel noise of standard
    deviation 70 of 255: 300 of them without labels are the pool, the rest are the target.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)
    generator = derive_generator(seed, "digits")
    order = generator.permutation(len(images))
    source, rest = order[:N_SOURCE], order[N_SOURCE:]
    noisy = np.clip(np.round(images[rest] + generator.normal(0, NOISE_STD, images[rest].shape)), 0, 255)
    noisy = noisy.astype(np.uint8)
    directory.mkdir(parents=True, exist_ok=True)
    write_images(directory / "source", images[source])
    write_images(directory / "pool", noisy[:N_POOL])
    write_images(directory / "target", noisy[N_POOL:], digits.target[rest][N_POOL:])
    return images[source], digits.target[source]


def _pretrain_all(directory: Path, seed: int, announce: Callable[[str], None]) -> None:
    from carryover.pretraining.config import read_recipe
    from carryover.pretraining.run import pretrain

    recipes = directory / "recipes"
    recipes.mkdir(exist_ok=True)
    for name, (folder, objective, train, regularizer) in RECIPES.items():
        announce(f"pretraining: {name}")
        path = recipes / f"{folder}.toml"
        text = RECIPE.format(
            recipe=path, seed=seed, objective=objective, train=train, regularizer=regularizer
        )
        path.write_text(text, encoding="utf-8")
        pretrain(read_recipe(path), directory / "runs" / folder)


def write_images(folder: Path, images: np.ndarray, labels: np.ndarray | None = None) -> None:
    """Grey uint8 images (n, h, w), and digits as their labels, as a data set of one Parquet file in ``folder``."""
    from datasets import ClassLabel, Dataset, Features, Image
    from PIL import Image as Picture

    folder.mkdir(exist_ok=True)
    columns, rows = {"image": Image()}, {"image": [Picture.fromarray(image) for image in images]}
    if labels is not None:
        columns["label"] = ClassLabel(names=[str(digit) for digit in range(10)])
        rows["label"] = labels.tolist()
    with without_progress_bars():
        Dataset.from_dict(rows, features=Features(columns)).to_parquet(
            folder / "train-00000-of-00001.parquet"
        )
