"""The candidates of a hub: what each of them gives is what its network gives alone."""

import numpy as np
import pytest
import torch
from datasets import ClassLabel, Dataset, Features, Image
from PIL import Image as Picture

from carryover.data.images import images_from_array
from carryover.experiments.entries.ranking.cells import load_target
from carryover.experiments.entries.ranking.hub import hub_candidates
from carryover.experiments.entries.ranking.pretrained import pretrain_spec, pretrained_encoders
from carryover.experiments.entries.ranking.specs import START, Hub, Pretrained, Target
from carryover.pretraining.data import load_run_data
from carryover.pretraining.start import new_objective


def write_images(folder, images, labels):
    features = Features({"image": Image(), "label": ClassLabel(names=["a", "b", "c"])})
    rows = {"image": [Picture.fromarray(image) for image in images], "label": labels}
    folder.mkdir()
    Dataset.from_dict(rows, features=features).to_parquet(folder / "train-00000-of-00001.parquet")


def test_a_hub_without_files_has_random_and_plain_features_of_several_widths(tmp_path):
    generator = np.random.default_rng(0)
    images = images_from_array(generator.integers(0, 256, (12, 32, 32, 3), dtype=np.uint8))
    found = {one.name: one for one in hub_candidates(Hub((), (), 5), images, np.arange(10), tmp_path)}
    widths = {name: one.features.shape for name, one in found.items()}
    layer = "random resnet20, layer3 on 4 x 4"
    assert widths == {
        "random resnet20": (12, 64),
        layer: (12, 1024),
        "pixels": (12, 768),
        "PCA of pixels": (12, 10),
        "random filters": (12, 512),
    }
    # The layer's map is 8 x 8: the mean over its grid is the mean over all of it, which are the pooled features.
    pooled = found[layer].features.reshape(12, 64, 16).mean(axis=2)
    np.testing.assert_allclose(found["random resnet20"].features, pooled, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found["random resnet20"].source.sum(axis=1), 1.0, rtol=1e-12)
    assert [name for name, one in found.items() if one.source is not None] == ["random resnet20"]
    other = {one.name: one for one in hub_candidates(Hub((), (), 6), images, np.arange(10), tmp_path)}
    assert not np.allclose(other["random filters"].features, found["random filters"].features)


def test_an_encoder_is_trained_once_and_stands_beside_its_start(tmp_path):
    generator = np.random.default_rng(1)
    write_images(tmp_path / "data", generator.integers(0, 256, (70, 12, 12), dtype=np.uint8), [0] * 70)
    one = Pretrained("denoising, MNIST", str(tmp_path / "data"), 20, 70)
    spec, hub = pretrain_spec(one, 7), Hub((), (one,), 7)
    trained, start = pretrained_encoders(hub, tmp_path / "shared")
    assert start.name == trained.name + START
    images = torch.rand(5, 1, 12, 12)
    objective = new_objective(spec, load_run_data(spec)).eval()
    with torch.no_grad():
        torch.testing.assert_close(start.read_out(images).features, objective.encode(images), rtol=0, atol=0)
        assert not torch.allclose(trained.read_out(images).features, start.read_out(images).features)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "shared").rglob("*") if path.is_file()}
    again, _ = pretrained_encoders(hub, tmp_path / "shared")
    assert again.weights_hash == trained.weights_hash
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_a_target_holds_the_classes_it_names_as_codes_and_grey_images_as_rgb(tmp_path):
    levels = np.arange(30, dtype=np.uint8)
    write_images(tmp_path / "data", np.tile(levels[:, None, None], (1, 16, 16)), [0, 1, 2] * 10)
    target = Target("t", str(tmp_path / "data"), column="label", kept=(0, 2), max_images=12)
    images, labels = load_target(target, seed=0)
    assert images.shape == (32, 32, 3) and np.bincount(labels).tolist() == [6, 6]
    shown = images.read(0, 12)[:, 0, 0, 0]
    np.testing.assert_array_equal(shown % 3, np.where(labels == 0, 0, 2))


@pytest.mark.parametrize("recipe", ["SimCLR, CIFAR-10", "MAE, CIFAR-10", "SimCLR, MNIST"])
def test_every_recipe_takes_the_steps_and_the_seed_of_the_hub(recipe):
    spec = pretrain_spec(Pretrained(recipe, "nowhere", 27, 99), 3)
    assert (spec.train.steps, spec.data.max_examples, spec.seed, spec.held_out) == (27, 99, 3, 0.0)
