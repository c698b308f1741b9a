"""Capacity of finished runs: norms recomputed by hand, and what the class allows never below what a change does."""

import math
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file
from tiny_runs import striped_images, tiny_run, write_images

from carryover._core.errors import InputError
from carryover.bounding.capacity import capacity_of_run
from carryover.bounds.capacity import network_rademacher, spectral_complexity

DENSE = {
    "kind": "context_encoder",
    "encoder": "fully_connected",
    "width": 6,
    "decoder_hidden": 5,
    "region": 4,
}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    pixels, _ = striped_images(120, 0)
    return write_images(tmp_path_factory.mktemp("images") / "images.parquet", pixels)


def test_dense_context_encoders_have_the_complexity_of_their_layers(source, tmp_path):
    scale = {"mean": [0.5], "std": [0.25]}
    none = {"steps": 1, "batch_size": 8, "learning_rate": 1e-30}
    runs = {
        name: tiny_run(tmp_path / name, source, objective=DENSE, **scale, **changes)
        for name, changes in {"trained": {}, "started": {"train": none}}.items()
    }
    matrices = {}
    for name, run in runs.items():
        state = load_file(run / "model" / "weights.safetensors")
        layers = sorted({key.rpartition(".")[0] for key in state if key.endswith(".weight")},
                        key=lambda key: (key.startswith("decoder"), key))  # fmt: skip
        rows = [np.column_stack([state[f"{key}.weight"], state[f"{key}.bias"]]) for key in layers]
        carried = [np.vstack([row, np.eye(row.shape[1])[-1]]) for row in rows[:-1]]
        matrices[name] = [matrix.astype(np.float64) for matrix in (*carried, rows[-1])]
    assert len(matrices["trained"]) == 4
    complexity = spectral_complexity(matrices["trained"], references=matrices["started"])
    found = capacity_of_run(runs["trained"])
    assert found.measure == "spectral" and found.n == 84
    assert found.complexity == pytest.approx(complexity.value, rel=1e-5)
    # A pixel is at most |1 - .5| / .25 = 2 in size; the loss is a mean over 16 numbers.
    expected = network_rademacher(
        complexity, input_norm=math.sqrt(84 * (64 * 4 + 1)), n=84, lipschitz=2 / math.sqrt(16), loss_range=1.0
    )
    assert found.rademacher == pytest.approx(expected, rel=1e-5)
    assert capacity_of_run(runs["started"]).rademacher == 0.0  # it never left its reference


def test_a_masked_autoencoder_has_a_covering_number(source, tmp_path):
    found = capacity_of_run(tiny_run(tmp_path / "mae", source))
    assert found.measure == "covering" and found.complexity > 0
    assert found.vacuous and found.rademacher == 0.5


def test_other_networks_have_none_and_say_so(source, tmp_path):
    run = tiny_run(tmp_path / "convolutions", source, objective={"kind": "denoising", "width": 8})
    found = capacity_of_run(run)
    assert found.status == "not_applicable" and "dense layers" in found.reason and found.rademacher is None
    alone = capacity_of_run(shutil.copytree(run / "model", tmp_path / "elsewhere"))
    assert "only the encoder's folder" in alone.reason


def test_bad_input_is_refused(tmp_path):
    with pytest.raises(InputError, match="loss_range"):
        capacity_of_run(tmp_path, loss_range=0.0)
    with pytest.raises(InputError, match="holds no encoder"):
        capacity_of_run(tmp_path)
