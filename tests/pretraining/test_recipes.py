"""The recipes in configs/: each reads, says its command, cost and expected numbers, and builds what it names."""

import re
from pathlib import Path

import pytest
import torch
from datasets import Dataset, Features, Image
from PIL import Image as Picture

from carryover.models.encoders import ImageSize
from carryover.objectives.building import build_objective
from carryover.objectives.keyed import Key
from carryover.pretraining.config import read_recipe
from carryover.pretraining.data import load_run_data
from carryover.training.order import BatchOrder
from carryover.training.schedules import WarmupCosine

RECIPES = sorted((Path(__file__).parents[2] / "configs").glob("*.toml"))
COLOURS = {"mnist": 1}


def test_there_are_the_promised_recipes():
    kinds = {read_recipe(path).objective.kind for path in RECIPES}
    assert kinds >= {"mae", "context_encoder", "denoising", "simclr", "spectral"}
    hubs = {read_recipe(path).data.path for path in RECIPES}
    assert hubs >= {"uoft-cs/cifar10", "ylecun/mnist", "tanganke/stl10", "ufldl-stanford/svhn"}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_says_what_it_does_and_builds(path):
    comments = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert any(f"carryover pretrain configs/{path.name} --out" in line for line in comments)
    for promised in ("# Cost: ", "# Expected: "):
        said = [line.removeprefix(promised) for line in comments if line.startswith(promised)]
        # A number, or that there is none yet; never a place held for one.
        assert len(said) == 1 and re.search(r"\d|not measured", said[0])
        assert not re.search(r"[A-Z]+_[A-Z]+", said[0])
    spec = read_recipe(path)
    side = spec.image_size or 32
    channels = COLOURS.get(spec.data.path.rpartition("/")[2], 3)
    size = ImageSize(side, side, channels)
    objective = build_objective(
        spec.objective, size, mean=[0.5] * channels, std=[0.25] * channels, seed=spec.seed
    )
    ids = torch.arange(4)
    images = torch.rand(4, channels, side, side, generator=torch.Generator().manual_seed(0))
    assert torch.isfinite(objective.loss(images, Key(0, 0, ids)))
    # The schedule and the batches are possible with what [data] promises.
    train = spec.train
    WarmupCosine(train.learning_rate, train.steps, train.warmup_steps, train.final_learning_rate)
    BatchOrder(round((spec.data.max_examples or 5000) * (1 - spec.held_out)), train.batch_size, 0)


def test_a_subset_of_a_data_set_is_named_by_its_config(tmp_path):
    """A folder with two configurations, as SVHN has on the hub."""
    folder = tmp_path / "digits"
    folder.mkdir()
    for name, level in (("cropped", 30), ("whole", 200)):
        rows = {"image": [Picture.new("L", (8, 8), level + i) for i in range(12)]}
        Dataset.from_dict(rows, features=Features({"image": Image()})).to_parquet(folder / f"{name}.parquet")
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: cropped\n  data_files: cropped.parquet\n"
        "- config_name: whole\n  data_files: whole.parquet\n---\n"
    )
    for name, level in (("cropped", 30), ("whole", 200)):
        table = {
            "data": {"path": str(folder), "config": name},
            "objective": {"kind": "simclr"},
            "held_out": 0.0,
        }
        pixels = load_run_data(read_recipe(table)).train.pixels
        assert sorted(pixels[:, 0, 0, 0].tolist()) == [level + i for i in range(12)]
