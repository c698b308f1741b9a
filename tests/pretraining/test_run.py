"""A run in its folder: taken up again bit for bit, its encoder, its record, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset, Features, Image
from PIL import Image as Pillow
from safetensors.numpy import load_file
from transformers import ViTMAEForPreTraining

from carryover._core.errors import InputError
from carryover._core.strict import build
from carryover.objectives.saved import encode_in_batches, load_encoder
from carryover.pretraining.data import load_run_data
from carryover.pretraining.run import PretrainOptions, pretrain
from carryover.pretraining.specs import PretrainSpec

SMALL_MAE = {"kind": "mae", "width": 12, "depth": 1, "heads": 2, "decoder_width": 8, "decoder_depth": 1,
             "decoder_heads": 2, "mask_ratio": 0.5}  # fmt: skip
TRAIN = {"steps": 12, "batch_size": 16, "micro_batch": 5, "warmup_steps": 3, "downstream_batch": 8}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, size=(40, 8, 8)).astype(np.uint8)
    path = tmp_path_factory.mktemp("images") / "train.parquet"
    rows = {"image": [Pillow.fromarray(one) for one in pixels]}
    Dataset.from_dict(rows, features=Features({"image": Image()})).to_parquet(path)
    return str(path)


def spec_of(images, **changes) -> PretrainSpec:
    table = {"data": {"path": images}, "objective": SMALL_MAE, "train": TRAIN, "downstream": {"path": images},
             "regularizer": {"kind": "radreg", "strength": 0.1}}  # fmt: skip
    return build(PretrainSpec, {**table, **changes})


def weights(folder):
    return load_encoder(folder).state_dict()


@pytest.mark.parametrize("kind", ["mae", "denoising", "simclr"])
def test_a_run_that_was_stopped_ends_as_one_that_was_not(images, tmp_path, kind):
    objective = SMALL_MAE if kind == "mae" else {"kind": kind, "width": 6}
    train = TRAIN if kind != "simclr" else {**TRAIN, "micro_batch": 16}
    spec = spec_of(images, objective=objective, train=train)
    whole = pretrain(spec, tmp_path / "whole")
    assert whole.done and whole.step == 12
    asked = iter([False] * 4 + [True] * 100)
    first = pretrain(spec, tmp_path / "broken", PretrainOptions(stop=lambda: next(asked)))
    assert not first.done and first.step == 5 and not (tmp_path / "broken" / "model").exists()
    second = pretrain(spec, tmp_path / "broken")
    assert second.done
    for name, tensor in weights(tmp_path / "whole").items():
        assert torch.equal(tensor, weights(tmp_path / "broken")[name]), name
    assert {**second.record, "last": None} == {**whole.record, "last": None}


def test_the_folder_holds_what_is_promised(images, tmp_path):
    result = pretrain(spec_of(images), tmp_path / "run")
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {
        "run.json",
        "metrics.jsonl",
        "checkpoints",
        "model",
        "result.json",
        "held_out_losses.safetensors",
    }
    stored = json.loads((tmp_path / "run" / "result.json").read_text())
    assert stored == json.loads(json.dumps(result.record))
    train, held_out = (stored["pretraining_loss"][part]["value"] for part in ("train", "held_out"))
    assert stored["gap"] == pytest.approx(held_out - train)
    # Noise has nothing to be learned: the run says so.
    assert held_out > 0.9 and "learned next to nothing" in stored["notes"][0]
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["schema"] == "carryover.run/1" and "downstream_hashes" not in run
    losses = load_file(tmp_path / "run" / "held_out_losses.safetensors")["losses"]
    assert losses.shape == (4,) and losses.mean() == pytest.approx(held_out, rel=1e-12)


def test_the_encoder_opens_with_carryover_and_with_transformers(images, tmp_path):
    spec = spec_of(images)
    pretrain(spec, tmp_path / "run")
    encoder = load_encoder(tmp_path / "run")
    data = load_run_data(spec)
    features = encode_in_batches(encoder, data.train.pixels, batch_size=7)
    assert features.shape == (36, 12) and not any(weight.requires_grad for weight in encoder.parameters())
    twin = ViTMAEForPreTraining.from_pretrained(tmp_path / "run" / "model")
    for (name, one), other in zip(
        encoder.objective.model.state_dict().items(), twin.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other), name
    with pytest.raises(InputError, match="takes images of shape"):
        encoder(torch.zeros(1, 3, 8, 8))


def test_another_config_or_other_images_are_not_taken_up(images, tmp_path):
    pretrain(spec_of(images), tmp_path / "run")
    with pytest.raises(InputError, match=r"these keys differ: regularizer.strength, train.learning_rate\."):
        changed = {
            "regularizer": {"kind": "radreg", "strength": 0.2},
            "train": {**TRAIN, "learning_rate": 0.1},
        }
        pretrain(spec_of(images, **changed), tmp_path / "run")
    with pytest.raises(InputError, match="is not empty and holds no run"):
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "thesis.txt").write_text("mine")
        pretrain(spec_of(images), tmp_path / "other")


def test_a_moved_data_set_is_the_same_run(images, tmp_path):
    pretrain(spec_of(images), tmp_path / "run")
    moved = tmp_path / "elsewhere.parquet"
    moved.write_bytes(Path(images).read_bytes())
    assert pretrain(spec_of(str(moved), downstream={"path": str(moved)}), tmp_path / "run").done


@pytest.mark.parametrize("how", ["bytes", "gone", "schema"])
def test_a_damaged_encoder_is_refused(images, tmp_path, how):
    pretrain(spec_of(images, objective={"kind": "denoising", "width": 4}), tmp_path / "run")
    model = tmp_path / "run" / "model"
    if how == "bytes":
        data = bytearray((model / "weights.safetensors").read_bytes())
        data[-1] ^= 1
        (model / "weights.safetensors").write_bytes(bytes(data))
    elif how == "gone":
        (model / "weights.safetensors").unlink()
    else:
        (model / "encoder.json").write_text('{"schema": "other"}')
    message = "not of this version" if how == "schema" else "missing or corrupt"
    with pytest.raises(InputError, match=message):
        load_encoder(tmp_path / "run")
    with pytest.raises(InputError, match="holds no encoder"):
        load_encoder(tmp_path)
