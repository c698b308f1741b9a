"""A run reports the complexity of its downstream pool before and after: RadReg lowers it, and it is the measure's."""

import json

import numpy as np
import pytest
import torch
from tiny_runs import striped_images, tiny_run, write_images

from carryover.measures.rademacher import rademacher_complexity
from carryover.objectives.saved import load_encoder


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    pool = striped_images(300, seed=1)[0]
    source = write_images(folder / "source.parquet", striped_images(80, seed=0)[0])
    return source, write_images(folder / "pool.parquet", pool), pool


def reported(folder) -> dict:
    return json.loads((folder / "result.json").read_text())["radreg_of_pool"]


def test_it_falls_with_radreg_and_less_without(files, tmp_path):
    source, pool, _ = files
    train = {"steps": 60, "batch_size": 32, "learning_rate": 3e-3, "downstream_batch": 16}
    objective = {"kind": "denoising", "encoder": "fully_connected", "width": 6, "decoder_hidden": 0}
    found = {}
    for strength in (0.0, 1.0):
        regularizer = {"kind": "radreg", "strength": strength}
        changes = {
            "objective": objective,
            "train": train,
            "downstream": {"path": pool},
            "regularizer": regularizer,
        }
        found[strength] = reported(tiny_run(tmp_path / f"{strength}", source, **changes))
    assert found[0.0]["before"] == found[1.0]["before"] and found[1.0]["before"]["n"] == 300
    before, after = (found[1.0][name]["estimate"] for name in ("before", "after"))
    assert after["interval"][1] < 0.9 * before["interval"][0]
    assert after["interval"][1] < 0.9 * found[0.0]["after"]["estimate"]["interval"][0]


def test_it_is_the_measure_on_whole_images_by_other_signs(files, tmp_path):
    source, pool, pixels = files
    regularizer = {"kind": "radreg", "strength": 0.5, "view": "masked", "n_draws": 3}
    folder = tiny_run(tmp_path / "run", source, downstream={"path": pool}, regularizer=regularizer)
    images = torch.from_numpy(pixels)[:, None] / 255.0
    with torch.no_grad():
        features = load_encoder(folder)(images).double().numpy()
    # Of frobenius heads with one output, as the run's regularizer has by default.
    generator = np.random.default_rng(0)
    measured = rademacher_complexity(features, n_outputs=1, n_draws=2000, generator=generator)
    after = reported(folder)["after"]
    for one in ("estimate", "normalized"):
        expected, found = getattr(measured, one), after[one]
        assert abs(found["value"] - expected.value) < 4.0 * np.hypot(found["std_error"], expected.std_error)
        assert found["std_error"] < 0.1 * found["value"]


def test_a_run_without_a_pool_reports_none(files, tmp_path):
    assert reported(tiny_run(tmp_path / "run", files[0])) is None
