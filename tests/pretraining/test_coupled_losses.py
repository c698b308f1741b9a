"""Losses that couple the examples of a batch, from the config to what the run reports."""

import numpy as np
import pytest
import torch
from datasets import Dataset, Features, Image
from PIL import Image as Pillow

from carryover._core.errors import InputError
from carryover._core.seeding import derive_seed
from carryover._core.strict import build
from carryover.objectives.keyed import Key
from carryover.objectives.saved import load_encoder
from carryover.pretraining.data import load_run_data
from carryover.pretraining.run import pretrain
from carryover.pretraining.specs import PretrainSpec

OBJECTIVES = {
    "simclr": {"kind": "simclr", "encoder": "fully_connected", "width": 6, "projection": 5},
    "spectral": {"kind": "spectral", "encoder": "fully_connected", "width": 6, "projection": 5},
    "curl": {
        "kind": "curl",
        "encoder": "fully_connected",
        "width": 6,
        "projection": 0,
        "negatives": 7,
        "block": 2,
    },
}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    pixels = np.random.default_rng(0).integers(0, 256, size=(40, 8, 8)).astype(np.uint8)
    path = tmp_path_factory.mktemp("images") / "train.parquet"
    rows = {"image": [Pillow.fromarray(one) for one in pixels]}
    Dataset.from_dict(rows, features=Features({"image": Image()})).to_parquet(path)
    return str(path)


@pytest.mark.parametrize("kind", OBJECTIVES)
def test_it_is_measured_on_batches_of_the_size_it_was_trained_on(images, tmp_path, kind):
    table = {"data": {"path": images}, "objective": OBJECTIVES[kind], "train": {"steps": 3, "batch_size": 8}}
    spec = build(PretrainSpec, table)
    result = pretrain(spec, tmp_path / "run")
    found = result.record["pretraining_loss"]
    objective, data = load_encoder(tmp_path / "run").objective, load_run_data(spec)
    seed = derive_seed(0, "measured") % 2**63
    values = []
    with torch.no_grad():
        for start in (0, 8, 16, 24):  # 36 images to train on: the last four make no batch
            rows = torch.arange(start, start + 8)
            values.append(float(objective.loss(data.train.floats(rows), Key(seed, -1, rows))))
    assert found["train"]["n_samples"] == 4
    assert found["train"]["value"] == pytest.approx(np.mean(values), rel=1e-6)
    assert found["held_out"]["status"] == "not_applicable"  # four images: no batch at all


def test_more_negatives_than_the_batch_has_others_are_refused(images, tmp_path):
    objective = {**OBJECTIVES["curl"], "negatives": 8}
    table = {"data": {"path": images}, "objective": objective, "train": {"steps": 3, "batch_size": 8}}
    with pytest.raises(
        InputError, match="negatives must be at most 7, the other images of a batch of 8, got 8"
    ):
        pretrain(build(PretrainSpec, table), tmp_path / "run")
