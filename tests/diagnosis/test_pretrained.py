"""A run as a candidate: the features of its encoder, on pixels prepared as it was trained, and what is refused."""

import numpy as np
import pytest
import torch
from tiny_runs import TRAIN, striped_images, tiny_run, write_images

from carryover._core.errors import InputError
from carryover.diagnosis.pretrained import load_pretrained, names_a_run
from carryover.diagnosis.specs import ModelSpec
from carryover.models.features import extract_features
from carryover.objectives.saved import load_encoder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    source = write_images(folder / "source.parquet", striped_images(60, 0)[0])
    objective = {"kind": "denoising", "encoder": "convolutional", "width": 6}
    return tiny_run(folder / "denoising", source, objective=objective)


def _features(run, pixels, **changes):
    network, _ = load_pretrained("m", ModelSpec(path=str(run), **changes))
    with torch.no_grad():
        return network.read_out(network.preprocessing.apply(pixels)).features


def test_features_are_those_of_the_encoder_and_pixels_are_normalised_once(run):
    pixels = striped_images(7, 3)[0][..., None]
    encoder = load_encoder(run)
    mean, std = (getattr(encoder.objective.normalize, name).double() for name in ("mean", "std"))
    by_hand = (torch.from_numpy(pixels).permute(0, 3, 1, 2).double() / 255.0 - mean) / std
    with torch.no_grad():
        expected = encoder.objective.encoder.double()(by_hand)
    torch.testing.assert_close(_features(run, pixels).double(), expected, rtol=1e-4, atol=1e-5)


def test_colour_and_size_are_brought_to_those_of_the_run(run):
    flat = np.full((2, 20, 14, 3), 77, dtype=np.uint8)
    expected = _features(run, np.full((2, 8, 8, 1), 77, dtype=np.uint8))
    torch.testing.assert_close(_features(run, flat), expected)


def test_a_named_layer_is_that_of_the_network(run):
    pixels = striped_images(5, 3)[0][..., None]
    encoder = load_encoder(run)
    with torch.no_grad():
        scaled = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255.0
        expected = encoder.objective.encoder[:3](encoder.objective.normalize(scaled)).mean(dim=(2, 3))
    torch.testing.assert_close(_features(run, pixels, layer="encoder.2"), expected)
    with pytest.raises(InputError, match=r"model 'm': no layer 'encoder\.99'"):
        _features(run, pixels, layer="encoder.99")
    with pytest.raises(InputError, match="does not run in the forward pass"):
        _features(run, pixels, layer="decoder.0")


def test_features_are_cached_by_weights(run, tmp_path):
    class Images:
        content_hash = "c"

        def __len__(self):
            return 5

        def read(self, start, stop):
            return striped_images(5, 3)[0][..., None][start:stop]

    network, found = load_pretrained("m", ModelSpec(path=str(run)))
    stored = extract_features(network, Images(), cache_dir=tmp_path).all()
    np.testing.assert_allclose(stored, _features(run, Images().read(0, 5)), rtol=1e-5, atol=1e-6)
    assert network.kind == "pretrained" and found.record.run_id[:8] in network.description
    other = tiny_run(tmp_path / "other", write_images(tmp_path / "s.parquet", striped_images(60, 0)[0]),
                     objective={"kind": "denoising", "width": 6}, train={**TRAIN, "steps": 21})  # fmt: skip
    assert load_pretrained("n", ModelSpec(path=str(other)))[0].weights_hash != network.weights_hash


@pytest.mark.parametrize(
    "given", [{"image_size": 16}, {"mean": (0.5,), "std": (0.2,)}, {"weights": "w.safetensors"}]
)
def test_what_a_run_states_itself_is_not_given_again(run, given):
    with pytest.raises(InputError, match=f"model 'm': .* leave out {next(iter(given))}"):
        load_pretrained("m", ModelSpec(path=str(run), **given))


def test_other_folders_are_not_taken_for_runs(run, tmp_path):
    assert names_a_run(ModelSpec(path=str(run))) and names_a_run(ModelSpec(path=str(run / "model")))
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "run.json").write_text("{}")
    for spec in (ModelSpec(path=str(tmp_path)), ModelSpec(path="google/vit"), ModelSpec(baseline="pca")):
        assert not names_a_run(spec)
