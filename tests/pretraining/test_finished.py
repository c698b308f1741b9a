"""The folder of a finished run, opened again: by carryover, by transformers, and not at all when it is damaged."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from tiny_runs import MAE, TRAIN, striped_images, tiny_run, write_images
from transformers import AutoImageProcessor, ViTMAEModel, ViTModel

import carryover
from carryover._core.errors import InputError
from carryover._core.strict import build
from carryover.data.hashing import path_hash
from carryover.models.loading import ModelSource, load_model
from carryover.models.transformers_models import quiet_transformers
from carryover.objectives.finished import is_run, open_run
from carryover.pretraining.data import load_run_data
from carryover.pretraining.run import PretrainOptions, pretrain
from carryover.pretraining.specs import DataSpec, PretrainSpec, Regularizer


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("source") / "source.parquet", striped_images(60, 0)[0])


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("pool") / "pool.parquet", striped_images(20, 1)[0])


@pytest.fixture(scope="module")
def finished(source, pool, tmp_path_factory):
    return tiny_run(tmp_path_factory.mktemp("runs") / "mae", source, pool=pool)


@pytest.fixture
def run(finished, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(finished, tmp_path / "run")


def test_the_run_names_every_example_it_saw(finished, source, pool):
    found = open_run(finished)
    data = load_run_data(PretrainSpec(DataSpec(source), found.record.objective, held_out=0.3))
    as_text = {role: [row.tobytes().hex() for row in table] for role, table in found.seen.items()}
    assert as_text["train"] == list(data.train.hashes) and as_text["held_out"] == list(data.held_out.hashes)
    assert len(as_text["downstream"]) == 20 and set(as_text) == {"train", "held_out", "downstream"}
    assert found.losses.of_examples.mean() == pytest.approx(found.losses.held_out.value, rel=1e-12)


def test_a_pool_that_no_regulariser_looks_at_was_not_seen(source, pool, tmp_path):
    decay = {"downstream": {"path": pool}, "regularizer": {"kind": "l2", "strength": 0.1}}
    found = open_run(tiny_run(tmp_path / "run", source, **decay))
    assert set(found.seen) == {"train", "held_out"} and found.record.regularizer == Regularizer("l2", 0.1)


def test_the_encoder_alone_is_opened_without_its_losses(run, tmp_path):
    alone = shutil.copytree(run / "model", tmp_path / "alone")
    assert is_run(run) and is_run(run / "model") and is_run(alone)
    found = open_run(alone)
    assert found.losses is None and set(found.seen) == {"train", "held_out", "downstream"}
    assert open_run(run / "model").losses.held_out == open_run(run).losses.held_out


def test_transformers_opens_the_same_encoder_as_its_own_architectures(run):
    pixels = striped_images(9, 2)[0]
    images = torch.from_numpy(pixels)[:, None].float() / 255.0
    expected = carryover.load_encoder(run)(images)
    with quiet_transformers():
        processor = AutoImageProcessor.from_pretrained(run / "model", use_fast=False)
        vit, info = ViTModel.from_pretrained(run / "model", add_pooling_layer=False, output_loading_info=True)
        mae = ViTMAEModel.from_pretrained(run / "model", mask_ratio=0.0)
    assert not info["missing_keys"]
    record = json.loads((run / "model" / "encoder.json").read_text())
    mean, std = record["mean"][0], record["std"][0]
    normalised = (images - mean) / std
    assert (*processor.image_mean, *processor.image_std) == (mean, std)
    with torch.no_grad():
        by_vit = vit(normalised).last_hidden_state[:, 1:].mean(dim=1)
        hidden = mae(normalised).last_hidden_state
    torch.testing.assert_close(by_vit, expected, rtol=1e-4, atol=1e-5)
    # Patches come in an order of their own there; their mean does not depend on it.
    torch.testing.assert_close(hidden[:, 1:].mean(dim=1), expected, rtol=1e-4, atol=1e-5)


def test_a_folder_in_transformers_format_is_read_with_the_normalisation_of_the_run(run):
    (run / "model" / "encoder.json").unlink()
    assert not is_run(run / "model")
    loaded = load_model(ModelSource("copy", path=run / "model"))
    record = json.loads((run / "model" / "preprocessing.json").read_text())
    assert loaded.preprocessing.mean == tuple(record["mean"]) and loaded.preprocessing.channels == 1


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            lambda run: (run / "model" / "example_hashes.safetensors").unlink(),
            "example_hashes.safetensors is missing",
        ),
        (
            lambda run: (run / "held_out_losses.safetensors").write_bytes(b"x"),
            "held_out_losses.safetensors is missing",
        ),
        (lambda run: (run / "run.json").write_text("{"), "run.json cannot be read"),
        (lambda run: (run / "run.json").write_text('{"schema": "wandb"}'), "its schema is 'wandb'"),
        (lambda run: (run / "result.json").unlink(), "its losses were not measured"),
        (
            lambda run: (run / "result.json").write_text('{"schema": "carryover.pretraining/1"}'),
            "records .* damaged",
        ),
        (lambda run: (run / "model" / "encoder.json").write_text("[]"), "not of this version"),
        (lambda run: _edit(run / "model" / "encoder.json", size=None), "damaged: size must be a table"),
        (lambda run: _edit(run / "model" / "encoder.json", run_id="f" * 64), "is not of the run there"),
        (lambda run: shutil.rmtree(run / "model"), "not finished: there is no encoder in it yet"),
        (
            lambda run: _edit(run / "model" / "encoder.json", objective={**MAE, "width": 24}),
            "does not fit the network",
        ),
    ],
)
def test_what_is_damaged_or_foreign_is_refused_in_a_sentence(run, damage, said):
    damage(run)
    with pytest.raises(InputError, match=said):
        open_run(run)


def _edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_an_encoder_with_nan_is_refused(source, tmp_path):
    run = tiny_run(tmp_path / "run", source, objective={"kind": "denoising", "width": 4})
    weights = run / "model" / "weights.safetensors"
    state = load_file(weights)
    state["decoder.0.weight"] = np.full_like(state["decoder.0.weight"], np.nan)
    save_file(state, weights)
    _edit(run / "model" / "encoder.json", weights_sha256=path_hash(weights))
    with pytest.raises(InputError, match=r"NaN or infinity .* decoder\.0\.weight"):
        carryover.load_encoder(run)


def test_a_run_that_was_stopped_has_no_encoder_yet(source, tmp_path):
    spec = build(PretrainSpec, {"data": {"path": source}, "objective": {"kind": "denoising", "width": 4},
                                "train": TRAIN})  # fmt: skip
    assert not pretrain(spec, tmp_path / "run", PretrainOptions(stop=lambda: True)).done
    assert is_run(tmp_path / "run")
    for opened in (open_run, carryover.load_encoder):
        with pytest.raises(InputError, match="not finished"):
            opened(tmp_path / "run")
