"""A pretraining phase: what a config builds, what images it sees, and the regularised loss of a step."""

import numpy as np
import pytest
import torch
from datasets import Dataset, Features, Image
from PIL import Image as Pillow

from carryover._core.errors import InputError
from carryover._core.strict import build
from carryover.models.encoders import ENCODERS, ImageSize, build_encoder, n_features
from carryover.objectives.base import Objective
from carryover.objectives.building import build_objective
from carryover.objectives.keyed import Key
from carryover.objectives.specs import OBJECTIVES, ObjectiveSpec
from carryover.pretraining.data import load_run_data
from carryover.pretraining.phase import PretrainingLoss, loss_estimate, measured_losses
from carryover.pretraining.specs import DataSpec, PretrainSpec
from carryover.training.loop import LoopOptions, LoopSpec, train

SMALL_MAE = {"width": 12, "depth": 1, "heads": 2, "decoder_width": 8, "decoder_depth": 1, "decoder_heads": 2}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two Parquet files of grey 8 x 8 images: 60 to pretrain on, 20 downstream of another brightness."""
    generator, out = np.random.default_rng(0), {}
    for name, n, level in (("source", 60, 100), ("target", 20, 160)):
        ramp = np.linspace(-60, 60, 8)[None, :, None] * generator.choice([-1, 1], size=(n, 1, 1))
        pixels = np.clip(level + ramp + generator.normal(scale=20, size=(n, 8, 8)), 0, 255).astype(np.uint8)
        rows = {"image": [Pillow.fromarray(one) for one in pixels]}
        path = tmp_path_factory.mktemp(name) / "train.parquet"
        Dataset.from_dict(rows, features=Features({"image": Image()})).to_parquet(path)
        out[name] = (path, pixels)
    return out


def spec_of(folders, **changes) -> PretrainSpec:
    table = {
        "data": {"path": str(folders["source"][0])},
        "objective": {"kind": "denoising", "width": 6},
        **changes,
    }
    return build(PretrainSpec, table)


def test_images_are_those_of_the_file_split_by_the_seed(folders):
    data = load_run_data(spec_of(folders, held_out=0.25))
    assert (len(data.train), len(data.held_out)) == (45, 15) and data.train.size == ImageSize(8, 8, 1)
    assert not set(data.train.hashes) & set(data.held_out.hashes)
    together = torch.cat([data.train.pixels, data.held_out.pixels])[:, 0].numpy()
    expected = folders["source"][1]
    assert sorted(map(bytes, together)) == sorted(map(bytes, expected))
    other = load_run_data(spec_of(folders, held_out=0.25, seed=1))
    assert other.train.hashes != data.train.hashes
    assert load_run_data(spec_of(folders, held_out=0.0)).held_out is None
    pixels = data.train.pixels.double() / 255.0
    assert data.mean[0] == pytest.approx(float(pixels.mean()), rel=1e-12)
    assert data.std[0] == pytest.approx(float(pixels.std(unbiased=False)), rel=1e-12)


@pytest.mark.parametrize("kind", OBJECTIVES)
def test_every_objective_is_built_and_learns_nothing_from_the_global_generator(folders, kind):
    data = load_run_data(spec_of(folders))
    extra = SMALL_MAE if kind == "mae" else {"width": 6}
    before = torch.get_rng_state()
    first, second = (
        build_objective(
            ObjectiveSpec(kind, **extra), data.train.size, mean=data.mean, std=data.std, seed=seed
        )
        for seed in (0, 0)
    )
    assert torch.equal(before, torch.get_rng_state())
    assert isinstance(first, Objective)
    for one, other in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    rows = torch.arange(8)
    loss = first.loss(data.train.floats(rows), Key(0, 0, rows))
    assert loss.ndim == 0 and torch.isfinite(loss)
    loss.backward()
    assert any(float(weight.grad.abs().sum()) > 0 for weight in first.encoder.parameters())
    third = build_objective(
        ObjectiveSpec(kind, **extra), data.train.size, mean=data.mean, std=data.std, seed=1
    )
    assert any(
        not torch.equal(one, other)
        for one, other in zip(first.parameters(), third.parameters(), strict=True)
        if one.ndim > 1
    )


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("channels", [1, 3])
def test_encoders_give_features_of_images(name, channels):
    size = ImageSize(16, 16, channels)
    encoder = build_encoder(name, size, width=12)
    expected = 12
    assert n_features(encoder, size) == expected and encoder.training
    assert encoder(torch.rand(3, channels, 16, 16)).shape == (3, expected)


def test_a_step_adds_the_penalty_on_downstream_images(folders):
    plain = spec_of(folders)
    radreg = spec_of(
        folders,
        regularizer={"kind": "radreg", "strength": 0.3, "n_draws": 4},
        downstream={"path": str(folders["target"][0])},
        train={"downstream_batch": 10},
    )
    data = load_run_data(radreg)
    objective = build_objective(
        radreg.objective, data.train.size, mean=data.mean, std=data.std, seed=0
    ).eval()
    rows = torch.arange(12)
    with torch.no_grad():
        loss = PretrainingLoss(objective, load_run_data(plain), plain)
        alone, parts = loss(rows, 3)
        assert set(parts) == {"pretraining_loss"} and parts["pretraining_loss"] == alone
        assert loss.penalty is None
        loss = PretrainingLoss(objective, data, radreg)
        assert loss(rows, 3) == (alone, parts)
        value, parts = loss.penalty(3)
        torch.testing.assert_close(value, 0.3 * parts["radreg_penalty"])
        assert value > 0 and loss.penalty(4)[0] != value  # another step sees another downstream batch


@pytest.mark.parametrize("micro_batch", [7, 4])
def test_the_penalty_is_computed_once_a_step_and_counts_once(folders, micro_batch):
    spec = spec_of(
        folders,
        objective={"kind": "denoising", "encoder": "fully_connected", "width": 4},
        regularizer={"kind": "radreg", "strength": 2.0, "n_draws": 4},
        downstream={"path": str(folders["target"][0])},
        train={"downstream_batch": 10},
    )
    data = load_run_data(spec)
    rows, gradients = [], []
    for parts in (None, micro_batch):
        objective = build_objective(spec.objective, data.train.size, mean=data.mean, std=data.std, seed=0)
        loss, seen = PretrainingLoss(objective, data, spec), []

        def penalty(step, loss=loss, seen=seen):
            seen.append(step)
            return loss.penalty(step)

        train(
            objective,
            loss,
            penalty=penalty,
            n_examples=len(data.train),
            spec=LoopSpec(steps=2, batch_size=16, learning_rate=1e-4, micro_batch=parts),
            options=LoopOptions(log_every=1, progress=rows.append),
        )
        assert seen == [0, 1]
        gradients.append([weight.grad for weight in objective.parameters()])
    for row, other in zip(rows[:2], rows[2:], strict=True):
        assert row["loss"] == pytest.approx(row["pretraining_loss"] + 2.0 * row["radreg_penalty"], rel=1e-6)
        for name in ("loss", "pretraining_loss", "radreg_penalty", "gradient_norm"):
            assert other[name] == pytest.approx(row[name], rel=1e-5)
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-7)


def test_radreg_falls_on_the_pool_during_training_and_the_loss_does_too(folders):
    losses, penalties = {}, {}
    for strength in (0.0, 0.5):
        spec = spec_of(
            folders,
            regularizer={"kind": "radreg", "strength": strength},
            downstream={"path": str(folders["target"][0])},
            train={"downstream_batch": 16},
        )
        data = load_run_data(spec)
        objective = build_objective(spec.objective, data.train.size, mean=data.mean, std=data.std, seed=0)
        loss, seen = PretrainingLoss(objective, data, spec), []
        train(
            objective,
            loss,
            penalty=loss.penalty,
            n_examples=len(data.train),
            spec=LoopSpec(steps=150, batch_size=27, learning_rate=3e-3),
            options=LoopOptions(log_every=10, progress=seen.append),
        )
        losses[strength] = [row["pretraining_loss"] for row in seen]
        penalties[strength] = [row["radreg_penalty"] for row in seen]
    assert losses[0.0][-1] < 0.9 * losses[0.0][0]
    assert np.mean(penalties[0.5][-3:]) < 0.5 * np.mean(penalties[0.0][-3:])
    assert np.mean(penalties[0.5][-3:]) < np.mean(penalties[0.5][:3])


def test_the_measured_loss_is_the_mean_of_single_examples_and_the_same_each_time(folders):
    spec = spec_of(folders, objective={"kind": "mae", **SMALL_MAE})
    data = load_run_data(spec)
    objective = build_objective(spec.objective, data.train.size, mean=data.mean, std=data.std, seed=0)
    first = measured_losses(objective, data.train, seed=0, batch_size=7)
    second = measured_losses(objective, data.train, seed=0, batch_size=54)
    assert objective.training and first.shape == (54,)
    np.testing.assert_allclose(first, second, rtol=1e-5)
    estimate = loss_estimate(first)
    assert estimate.value == pytest.approx(first.sum() / 54, rel=1e-12) and estimate.n_samples == 54
    assert estimate.interval[0] < estimate.value < estimate.interval[1]
    assert not np.allclose(measured_losses(objective, data.train, seed=1), first, rtol=1e-3)
    assert loss_estimate(first[:1]).status == "not_applicable"
    for value in (np.nan, np.inf):
        diverged = loss_estimate(np.append(first, value))
        assert diverged.status == "failed" and "the run diverged" in diverged.reason


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objective": {"kind": "mse"}}, "objective.kind must be one of 'mae'"),
        ({"objective": {"kind": "denoising", "encoder": "vgg"}}, "objective encoder must be one of"),
        ({"regularizer": {"kind": "radreg", "strength": 0.1}}, r"give \[downstream\] path"),
        ({"regularizer": {"kind": "l2", "strength": -1.0}}, "strength must be >= 0"),
        (
            {"regularizer": {"view": "masked"}},
            "visible patches only, as objective 'mae' does, not 'denoising'",
        ),
        ({"held_out": 1.0}, r"held_out must lie in \[0, 1\)"),
        ({"mean": [0.5]}, "mean and std go together"),
        ({"objectve": {}}, "objective"),
    ],
)
def test_a_config_that_does_not_do_is_refused(folders, changes, message):
    with pytest.raises(InputError, match=message):
        spec_of(folders, **changes)


def test_data_that_does_not_fit_is_refused(folders, tmp_path):
    with pytest.raises(InputError, match=r"\[data\]"):
        load_run_data(PretrainSpec(DataSpec(str(tmp_path / "nothing")), ObjectiveSpec("simclr")))
    spec = spec_of(folders, downstream={"path": str(folders["target"][0])}, train={"downstream_batch": 50})
    with pytest.raises(InputError, match="fewer than downstream_batch = 50"):
        load_run_data(spec)
    with pytest.raises(InputError, match=r"no images are left to train on: held_out = 0.999 takes all"):
        load_run_data(spec_of(folders, held_out=0.999))
    with pytest.raises(InputError, match="must have 1 numbers"):
        load_run_data(spec_of(folders, mean=[0.5, 0.5], std=[0.2, 0.2]))
    with pytest.raises(InputError, match="does not divide"):
        build_objective(ObjectiveSpec("mae", patch_size=3), ImageSize(8, 8, 1), mean=[0.5], std=[0.2], seed=0)
    with pytest.raises(InputError, match="takes square images"):
        build_objective(ObjectiveSpec("mae"), ImageSize(8, 4, 1), mean=[0.5], std=[0.2], seed=0)
