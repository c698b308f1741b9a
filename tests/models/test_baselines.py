"""Baselines: pixels are pixels, PCA is PCA, random filters follow their seed, and each says what it is."""

import numpy as np
import pytest

from carryover._core.errors import InputError
from carryover.models.baselines import BASELINES, load_baseline
from carryover.models.features import extract_features


def features_of(images, baseline, folder, *, seed=0):
    model = load_baseline("b", baseline, images, seed=seed)
    return model, extract_features(model, images, cache_dir=folder).all()


def test_pca_keeps_the_leading_eigenvectors_of_the_covariance(make_images, tmp_path):
    images = make_images(300, 6, 6, 1)
    model, got = features_of(images, "pca", tmp_path)
    flat = images.pixels.reshape(300, -1) / 255
    centred = flat - flat.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    expected = centred @ vectors[:, ::-1]
    signs = np.sign((expected * got).sum(axis=0))
    assert got.shape == (300, 36)
    assert np.allclose(got, expected * signs, atol=1e-4)
    assert np.allclose((got**2).sum(axis=0), values[::-1], rtol=1e-4)
    assert (
        "first 36 principal components" in model.description
        and "fitted on 300 of the 300" in model.description
    )


def test_pca_is_fitted_on_the_images_given_only(make_images, tmp_path):
    model = load_baseline("b", "pca", make_images(20, seed=1))
    other = make_images(10, seed=2)
    got = extract_features(model, other, cache_dir=tmp_path)
    assert got.shape == (10, 20)
    assert model.weights_hash == load_baseline("again", "pca", make_images(20, seed=1)).weights_hash
    assert model.weights_hash != load_baseline("b", "pca", other).weights_hash


def test_pca_of_many_pixels_repeats_with_the_seed(make_images):
    images = make_images(600, 16, 16, 3)
    first, again = (load_baseline("b", "pca", images, seed=3) for _ in range(2))
    assert first.weights_hash == again.weights_hash and "first 128 " in first.description


def test_random_filters_follow_the_seed(make_images, tmp_path):
    images = make_images(12)
    features = [features_of(images, "random_convolution", tmp_path, seed=seed)[1] for seed in (0, 0, 1)]
    assert features[0].shape == (12, 512)
    assert np.array_equal(features[0], features[1]) and not np.allclose(features[0], features[2])


def test_large_images_are_made_small_first(make_images, tmp_path):
    images = make_images(5, 64, 48, 3)
    model, got = features_of(images, "pixels", tmp_path)
    assert model.preprocessing.image_size == (32, 24) and got.shape == (5, 32 * 24 * 3)
    assert "32x24" in model.preprocessing.sentence()


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2, 3), (8, 8, 1), (40, 33, 3)])
def test_every_baseline_takes_every_size(make_images, tmp_path, baseline, shape):
    model, got = features_of(make_images(4, *shape), baseline, tmp_path)
    assert len(got) == 4 and np.isfinite(got).all()
    assert model.kind == "baseline" and "not pretrained" in model.description


def test_what_is_not_a_baseline_is_refused(make_images):
    with pytest.raises(
        InputError, match=r"no baseline 'pixel'; there are: pca, pixels, .*did you mean 'pixels'"
    ):
        load_baseline("b", "pixel", make_images(2))
    with pytest.raises(InputError, match="needs at least one image"):
        load_baseline("b", "pca", make_images(0))
    images = make_images(3)
    images.pixels[:] = 7
    with pytest.raises(InputError, match="PCA needs images that differ, and the 3 given are all the same"):
        load_baseline("b", "pca", images)
    with pytest.raises(InputError, match="the 1 given are all the same"):
        load_baseline("b", "pca", make_images(1))
