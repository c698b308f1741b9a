"""Targets of the DHZM24 experiments: who gets which rows, by seed and part."""

from pathlib import Path

import numpy as np
import pytest
import torch
from striped_targets import SIZE, striped_target, write_striped
from tiny_runs import striped_images, write_images

from carryover._core.errors import InputError
from carryover.data.sources import open_dataset
from carryover.experiments.entries.dhzm.targets import Downstream, draw, forget, write_pool


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_striped(tmp_path_factory.mktemp("stripes"))


def _names(pixels):
    return {one.numpy().tobytes() for one in pixels}


@pytest.mark.parametrize("name", ["two", "one"])
def test_no_image_is_in_two_parts(folder, name):
    drawn = draw(striped_target(folder, name), SIZE, seed=0)
    parts = [
        _names(part) for part in (drawn.labels.pixels, drawn.validation.pixels, drawn.test.pixels, drawn.pool)
    ]
    assert [len(part) for part in parts] == [20, 15, 25, 30]
    assert len(set.union(*parts)) == 90
    assert drawn.n_classes == 3 and np.bincount(drawn.labels.codes).min() >= 5


def test_rows_follow_from_the_seed_and_a_larger_pool_holds_the_smaller(folder):
    first, again, other = (draw(striped_target(folder), SIZE, seed=seed) for seed in (0, 0, 1))
    large = draw(striped_target(folder, n_pool=60), SIZE, seed=0)
    assert torch.equal(first.labels.pixels, again.labels.pixels) and torch.equal(
        first.test.pixels, again.test.pixels
    )
    assert torch.equal(large.labels.pixels, first.labels.pixels) and torch.equal(large.pool[:30], first.pool)
    assert _names(other.labels.pixels) != _names(first.labels.pixels)


def test_the_pool_that_is_written_is_the_one_that_is_drawn(folder, tmp_path):
    path = write_pool(striped_target(folder), tmp_path / "pool", seed=0)
    source = open_dataset(path)
    written = torch.from_numpy(source.images("image").read(0, 30))[:, None, :, :, 0]
    assert source.columns == ("image",)
    assert torch.equal(written, draw(striped_target(folder), SIZE, seed=0).pool)
    copies = [Path(one["filename"]) for one in source.dataset.cache_files]
    assert copies and all(one.is_file() for one in (path, *copies))
    forget(path)
    assert not any(one.exists() for one in (path, *copies))


def test_codes_are_places_among_the_training_split_s_classes(tmp_path):
    """The test split lacks a class: its labels 4 and 9 are codes 1 and 2, not 0 and 1."""
    pixels, classes = striped_images(60, 0)
    write_images(tmp_path / "train.parquet", pixels, np.array([2, 4, 9])[classes])
    later = classes > 0
    write_images(tmp_path / "test.parquet", pixels[later], np.array([2, 4, 9])[classes[later]])
    few = {"n_labels": 9, "n_validation": 5, "n_test": int(later.sum()), "n_pool": 5}
    drawn = draw(Downstream("named", str(tmp_path), **few), SIZE, seed=0)
    by_image = {one.tobytes(): code for one, code in zip(pixels, classes, strict=True)}
    wanted = [by_image[one.numpy().tobytes()] for one in drawn.test.pixels[:, 0]]
    assert drawn.n_classes == 3 and drawn.test.codes.tolist() == wanted


def test_a_target_that_is_too_small_or_has_new_classes_is_refused(folder, tmp_path):
    with pytest.raises(InputError, match="two: n_validation = 15 and n_pool = 90 need 105 rows, and 100 are"):
        draw(striped_target(folder, n_pool=90), SIZE, seed=0)
    with pytest.raises(InputError, match="two: n_test = 61 need 61 rows, and 60 are left"):
        draw(striped_target(folder, n_test=61), SIZE, seed=0)
    with pytest.raises(InputError, match="n_pool must"):
        striped_target(folder, n_pool=1)
    pixels, classes = striped_images(60, 0)
    write_images(tmp_path / "train.parquet", pixels, classes)
    write_images(tmp_path / "test.parquet", pixels, classes + 1)
    with pytest.raises(InputError, match="new: its test split has classes that its training split lacks"):
        draw(Downstream("new", str(tmp_path), n_labels=9, n_validation=5, n_test=5, n_pool=5), SIZE, seed=0)
