"""Initial scales before pretraining: what they multiply, and what the run says of those that change nothing."""

import json

import pytest
import torch
from tiny_runs import MAE, striped_images, tiny_run, write_images

from carryover._core.errors import InputError
from carryover._core.strict import build
from carryover.pretraining.data import load_run_data
from carryover.pretraining.specs import PretrainSpec
from carryover.pretraining.start import new_objective, scale_notes

DENOISING = {"kind": "denoising", "encoder": "resnet8", "width": 4, "decoder_hidden": 8, "noise_std": 0.2}


@pytest.fixture
def source(tmp_path):
    return write_images(tmp_path / "images.parquet", striped_images(60, 0)[0])


def started(source: str, objective: dict, **scales):
    spec = build(PretrainSpec, {"data": {"path": source}, "objective": objective, "scales": scales})
    return spec, load_run_data(spec, device="cpu")


@pytest.mark.parametrize(
    ("objective", "early"), [(MAE, "encoder.layers.0.*"), (DENOISING, "encoder.*conv1*")]
)
def test_scales_multiply_the_weights_that_training_starts_from(source, objective, early):
    plain = new_objective(*started(source, objective))
    scaled = new_objective(
        *started(source, objective, all_weights=0.5, early=0.1, readout=3.0, early_parameters=[early])
    )
    inside = {id(weight) for weight in plain.encoder.parameters()}
    factors = set()
    for (name, before), after in zip(plain.named_parameters(), scaled.parameters(), strict=True):
        allowed = (0.5, 0.05) if id(before) in inside else (3.0,)
        right = [factor for factor in allowed if torch.allclose(after, factor * before, atol=1e-8)]
        assert right, name
        if before.abs().max() > 0:
            factors |= set(right)
    assert factors == {0.5, 0.05, 3.0}


def test_scales_belong_to_the_run_and_a_cancelled_one_is_named(tmp_path, source):
    plain = tiny_run(tmp_path / "plain", source, objective=DENOISING)
    scaled = tiny_run(tmp_path / "scaled", source, objective=DENOISING, scales={"all_weights": 0.5})
    ids = [json.loads((run / "run.json").read_text())["id"] for run in (plain, scaled)]
    assert ids[0] != ids[1]
    notes = [" ".join(json.loads((run / "result.json").read_text())["notes"]) for run in (plain, scaled)]
    assert "cancels the scale" not in notes[0]
    assert "cancels the scale of" in notes[1] and "conv1" in notes[1]


def test_without_scales_nothing_is_tried(source):
    assert scale_notes(*started(source, DENOISING)) == []


def test_a_pattern_that_matches_nothing_is_refused(source):
    with pytest.raises(InputError, match="matches no parameter; near matches"):
        new_objective(*started(source, DENOISING, early=0.5, early_parameters=["encoder.layr1"]))
