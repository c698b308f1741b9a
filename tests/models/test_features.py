"""Extraction: the same features as one plain forward pass, resumable, and never half-written."""

import errno
import json
import os
import threading

import numpy as np
import pytest
import torch
from torch import nn

from carryover._core.errors import DiskFullError, InputError
from carryover.models.baselines import load_baseline
from carryover.models.features import extract_features
from carryover.models.loading import ModelSource, load_model


@pytest.fixture
def model():
    spec = ModelSource(
        "small",
        factory="carryover.models.backbones:small_cnn",
        factory_arguments={"n_classes": 3, "width": 4},
        mean=(0.5,),
        std=(0.25,),
    )
    return load_model(spec)


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@torch.inference_mode()
def expected_features(model, images):
    batch = torch.from_numpy(images.pixels).permute(0, 3, 1, 2).float().div(255).sub(0.5).div(0.25)
    features = model.module.encoder(batch)
    return features.numpy(), torch.softmax(model.module.head(features), dim=1).numpy()


@pytest.mark.parametrize("batch_size", [1, 7, 64, 1000])
@pytest.mark.parametrize("shard_rows", [16, 50, 4096])
def test_equals_one_plain_forward_pass(model, make_images, tmp_path, batch_size, shard_rows):
    images = make_images(50)
    got = extract_features(model, images, cache_dir=tmp_path, batch_size=batch_size, shard_rows=shard_rows)
    features, probabilities = expected_features(model, images)
    assert got.shape == (50, 16) and got.all().dtype == np.float32
    assert np.allclose(got.all(), features, atol=1e-5)
    assert np.allclose(got.source_probabilities.all(), probabilities, atol=1e-6)
    assert len(got.shards) == -(-50 // shard_rows)


def test_a_second_run_reads_no_image(model, make_images, tmp_path):
    images = make_images(50)
    first = extract_features(model, images, cache_dir=tmp_path, shard_rows=16).all()
    images.n_read, seen = 0, []
    again = extract_features(
        model,
        images,
        cache_dir=tmp_path,
        shard_rows=16,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert images.n_read == 0 and np.array_equal(again.all(), first) and seen == [(50, 50)]
    extract_features(model, images, cache_dir=tmp_path, shard_rows=16, overwrite=True)
    assert images.n_read == 50


def test_the_key_follows_weights_data_preprocessing_layer_and_shards(model, make_images, tmp_path):
    def folders():
        return len(list(tmp_path.iterdir()))

    images = make_images(20)
    extract_features(model, images, cache_dir=tmp_path)
    base = {"factory": "carryover.models.backbones:small_cnn", "mean": (0.5,), "std": (0.25,)}
    arguments = {"n_classes": 3, "width": 4}
    others = [
        {**base, "factory_arguments": {**arguments, "seed": 1}},
        {**base, "factory_arguments": arguments, "std": (0.5,)},
        {**base, "factory_arguments": arguments, "layer": "encoder.0"},
    ]
    for number, options in enumerate(others, start=2):
        extract_features(load_model(ModelSource("other", **options)), images, cache_dir=tmp_path)
        assert folders() == number
    extract_features(model, make_images(20, seed=1), cache_dir=tmp_path)
    extract_features(model, images, cache_dir=tmp_path, shard_rows=10)
    assert folders() == 6
    extract_features(
        load_model(ModelSource("renamed", **base, factory_arguments=arguments)), images, cache_dir=tmp_path
    )
    assert folders() == 6  # a name changes nothing


def test_an_interrupted_run_goes_on_where_it_stopped(model, make_images, tmp_path):
    images = make_images(64)

    def interrupt(done, _):
        if done >= 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract_features(model, images, cache_dir=tmp_path, batch_size=8, shard_rows=16, progress=interrupt)
    assert not any(name.endswith(".tmp") for name in files(tmp_path))
    images.n_read = 0
    got = extract_features(model, images, cache_dir=tmp_path, batch_size=8, shard_rows=16)
    assert images.n_read == 32  # two of four shards were whole
    assert np.allclose(got.all(), expected_features(model, images)[0], atol=1e-5)


def damage_length(path):
    path.write_bytes(path.read_bytes()[:-1])


def damage_bit(path):
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("damage", [damage_length, damage_bit, lambda path: path.unlink()])
@pytest.mark.parametrize("name", ["features-00001.npy", "source_probabilities-00001.npy"])
def test_a_damaged_shard_is_computed_again(model, make_images, tmp_path, damage, name):
    images = make_images(48)
    first = extract_features(model, images, cache_dir=tmp_path, shard_rows=16)
    whole = first.all(), first.source_probabilities.all()
    damage(first.shards[1].path.with_name(name))
    images.n_read = 0
    again = extract_features(model, images, cache_dir=tmp_path, shard_rows=16)
    assert images.n_read == 16
    assert np.array_equal(again.all(), whole[0]) and np.array_equal(
        again.source_probabilities.all(), whole[1]
    )


@pytest.mark.parametrize("content", ["{", "[]", '{"key": "other"}', '{"files": 3}'])
def test_a_damaged_manifest_means_all_anew(model, make_images, tmp_path, content):
    images = make_images(20)
    first = extract_features(model, images, cache_dir=tmp_path)
    manifest = first.shards[0].path.with_name("manifest.json")
    assert json.loads(manifest.read_text())["schema"] == "carryover.features/1"
    manifest.write_text(content)
    images.n_read = 0
    assert np.array_equal(extract_features(model, images, cache_dir=tmp_path).all(), first.all())
    assert images.n_read == 20


@pytest.mark.parametrize("when", [1, 2, 3, 4, 5, 6])
def test_a_full_disk_leaves_nothing_half_written(model, make_images, tmp_path, monkeypatch, when):
    images, calls, flush = make_images(48), [], os.fsync

    def full(handle):
        calls.append(handle)
        if len(calls) == when:
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFullError, match=r"no space left on the disk while .* was written: make room"):
        extract_features(model, images, cache_dir=tmp_path, shard_rows=16)
    assert not any(name.endswith(".tmp") for name in files(tmp_path))
    monkeypatch.undo()
    images.n_read = 0
    got = extract_features(model, images, cache_dir=tmp_path, shard_rows=16)
    whole_shards = (when - 1) // 3  # features, probabilities, manifest
    assert images.n_read == 48 - 16 * whole_shards
    assert np.allclose(got.all(), expected_features(model, images)[0], atol=1e-5)


def test_reading_overlaps_with_the_forward_pass(model, make_images, tmp_path):
    images, threads = make_images(32), set()
    read = images.read
    images.read = lambda start, stop: (threads.add(threading.current_thread()), read(start, stop))[1]
    extract_features(model, images, cache_dir=tmp_path, batch_size=8)
    assert threading.current_thread() not in threads


def test_an_error_while_reading_reaches_the_caller(model, make_images, tmp_path):
    images = make_images(32)

    def fail(start, stop):
        raise InputError(f"image {start} is damaged")

    images.read = fail
    with pytest.raises(InputError, match="image 0 is damaged"):
        extract_features(model, images, cache_dir=tmp_path)


def test_features_that_are_not_finite_name_model_and_example(make_images, tmp_path):
    images = make_images(40)
    images.pixels = np.maximum(images.pixels, 1)
    images.pixels[29, 2, 3, 1] = 0
    (tmp_path / "bad.py").write_text(
        "import torch\nfrom torch import nn\nclass Bad(nn.Module):\n    def forward(self, x):\n"
        "        return torch.where(x.flatten(1) == 0, torch.nan, x.flatten(1))\ndef make():\n    return Bad()\n"
    )
    bad = load_model(ModelSource("bad", factory=f"{tmp_path / 'bad.py'}:make"))
    with pytest.raises(
        InputError, match=r"model 'bad': the features hold NaN or infinity, first for example 29"
    ):
        extract_features(bad, images, cache_dir=tmp_path / "cache", batch_size=8)
    assert not any(name.endswith(".npy") for name in files(tmp_path / "cache"))


def test_misuse_is_refused(model, make_images, tmp_path):
    with pytest.raises(InputError, match="model 'small': there are no images"):
        extract_features(model, make_images(0), cache_dir=tmp_path)
    with pytest.raises(InputError, match="batch_size and shard_rows must be at least 1, got 0"):
        extract_features(model, make_images(3), cache_dir=tmp_path, batch_size=0)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be made"):
        extract_features(model, make_images(3), cache_dir=tmp_path / "file")
    model.module.encoder[1] = nn.BatchNorm2d(5).eval()
    with pytest.raises(InputError, match="model 'small': the network failed on a batch of shape"):
        extract_features(model, make_images(3), cache_dir=tmp_path)


def test_baselines_go_the_same_way(make_images, tmp_path):
    images = make_images(30)
    got = extract_features(load_baseline("raw", "pixels", images), images, cache_dir=tmp_path)
    assert np.allclose(got.all(), images.pixels.transpose(0, 3, 1, 2).reshape(30, -1) / 255, atol=1e-6)
    assert got.source_probabilities is None


def test_the_global_generators_are_not_touched(model, make_images, tmp_path):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    extract_features(model, make_images(20), cache_dir=tmp_path)
    assert torch.equal(torch_state, torch.get_rng_state())
    assert np.array_equal(numpy_state, np.random.get_state()[1])  # noqa: NPY002
