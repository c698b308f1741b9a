"""Cells of the DHZM24 experiments: what is measured of an encoder, and one whole cell."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from striped_targets import SIZE, striped_target, write_striped
from tiny_runs import MAE, striped_images

from carryover._core.errors import InputError
from carryover.experiments.entries.dhzm.cells import DhzmCell, run_cell
from carryover.experiments.entries.dhzm.measures import (
    LIPSCHITZ,
    features_in_pretraining,
    features_of,
    probe_columns,
    radreg_columns,
    term_columns,
)
from carryover.experiments.entries.dhzm.targets import Drawn, Labelled
from carryover.measures.rademacher import rademacher_complexity
from carryover.objectives.building import build_objective
from carryover.objectives.keyed import Key
from carryover.objectives.regularizers import Regularizer
from carryover.objectives.specs import ObjectiveSpec
from carryover.pretraining.specs import DataSpec, PretrainSpec, TrainSpec


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_striped(tmp_path_factory.mktemp("stripes"))


def _objective(kind, **changes):
    spec = ObjectiveSpec(kind=kind, **{"width": 8, "encoder": "fully_connected", **changes})
    return build_objective(spec, SIZE, mean=(0.5,), std=(0.2,), seed=0).eval()


def _pixels(n=12, seed=0):
    return torch.from_numpy(striped_images(n, seed)[0])[:, None]


@pytest.mark.parametrize("kind", ["denoising", "context_encoder", "simclr", "mae"])
def test_features_of_pretraining_are_those_of_what_the_encoder_was_shown(kind):
    changes = MAE if kind == "mae" else {"projection": 4} if kind == "simclr" else {"decoder_hidden": 8}
    objective = _objective(kind, **{key: value for key, value in changes.items() if key != "kind"})
    pixels, key = _pixels(), Key(5, -2, torch.arange(12))
    images = pixels / 255.0
    with torch.no_grad():
        shown = objective.normalize(images)
        if kind == "denoising":
            shown = shown + objective.noise_std * key.normal("denoising", 64).reshape(12, 1, 8, 8)
            wanted = objective.encoder(shown)
        elif kind == "context_encoder":
            wanted = objective.encoder(shown * (1 - objective.hidden(key)))
        elif kind == "simclr":
            wanted = objective.encoder(objective.normalize(objective.views.draw(images, key, "first view")))
        else:
            wanted = objective.encode_masked(images, key)
    found = features_in_pretraining(objective, pixels, seed=5)
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-5, atol=1e-6)
    assert np.abs(found - features_of(objective, pixels)).max() > 1e-3


def _clusters(n, seed, scale=1.0):
    """Features (n, 3) of two classes that lie apart, times ``scale``, and the classes."""
    rng = np.random.default_rng(seed)
    codes = np.arange(n) % 2
    return scale * (rng.normal(size=(n, 3)) + 1.5 * codes[:, None]), codes


def _drawn(n_labels=40, n_test=200):
    parts = [
        Labelled(torch.zeros(0), _clusters(n, seed)[1]) for n, seed in ((n_labels, 0), (30, 1), (n_test, 2))
    ]
    return Drawn(*parts, pool=torch.zeros(0), n_classes=2)


def _features(scale=1.0, n_labels=40, n_test=200):
    sizes = {"labels": (n_labels, 0), "validation": (30, 1), "test": (n_test, 2)}
    return {name: _clusters(n, seed, scale)[0] for name, (n, seed) in sizes.items()}


def test_the_probe_s_columns_are_those_of_its_predictions():
    row, path = probe_columns(_features(), _drawn())
    scores = _features()["test"] @ path.coefficients + path.intercept
    chances = np.exp(scores / path.temperature)
    chances /= chances.sum(axis=1, keepdims=True)
    codes = _drawn().test.codes
    assert row["probe_accuracy"] == np.mean(scores.argmax(axis=1) == codes)
    assert row["soft_error"] == pytest.approx(1 - chances[np.arange(200), codes].mean())
    assert 0.5 < row["probe_accuracy"] < 1.0


def test_the_terms_do_not_change_with_the_features_scale_and_the_complexity_is_the_simulated_one():
    rows = []
    for scale in (1.0, 7.0):
        features = _features(scale)
        _, path = probe_columns(features, _drawn())
        features |= {"source": _clusters(100, 9, scale)[0], "view": features["test"] + 99 * scale}
        rows.append(term_columns(features, path, n_classes=2, seed=0))
    assert rows[0] == pytest.approx(rows[1], rel=1e-6)
    features = _features()["labels"]
    unit = np.c_[features / np.sqrt(np.mean(features**2)), np.ones(40)]
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(20_000, 40, 2))
    sums = np.einsum("nd,jnk->jdk", unit, signs)
    simulated = np.sqrt((sums**2).sum(axis=(1, 2))).mean() / 40
    wanted = 2 * np.sqrt(2) * LIPSCHITZ * rows[0]["head_norm"] * simulated
    assert rows[0]["complexity"] == pytest.approx(wanted, rel=0.05)
    assert rows[0]["total_variation_low"] == 0.0 and rows[0]["view_variation_low"] > 0.9


def test_the_head_s_norm_is_that_of_the_softmax_s_scores_on_features_of_unit_mean_square():
    features = _features()
    _, path = probe_columns(features, _drawn())
    unit = np.sqrt(np.mean(features["labels"] ** 2))
    centred = path.intercept - path.intercept.mean()
    head = np.vstack([path.coefficients * unit, centred]) / path.temperature
    row = term_columns(
        {**features, "source": features["test"], "view": features["test"]}, path, n_classes=2, seed=0
    )
    assert row["head_norm"] == pytest.approx(np.linalg.norm(head))


def test_radreg_of_the_pool_is_the_complexity_of_its_features():
    objective, pixels = _objective("denoising"), _pixels(60)
    row = radreg_columns(objective, pixels, seed=0)
    features = features_of(objective, pixels)
    wanted = rademacher_complexity(
        features, n_outputs=1, n_draws=4000, generator=np.random.default_rng(0)
    ).estimate.value
    assert row["radreg"] == pytest.approx(wanted, rel=0.2)
    assert row["normalized_radreg"] * np.sqrt(np.mean(features**2)) == pytest.approx(row["radreg"], rel=1e-5)


def _pretrain(folder, **changes):
    small = {key: value for key, value in MAE.items() if key != "kind"}
    given = {
        "data": DataSpec(str(folder / "source.parquet")),
        "objective": ObjectiveSpec(kind="mae", **small),
        "train": TrainSpec(steps=3, batch_size=16, downstream_batch=8),
        "held_out": 0.3,
    }
    return PretrainSpec(**{**given, **changes})


@pytest.mark.slow
def test_a_cell_measures_before_and_after_alike_and_leaves_no_run(folder, tmp_path):
    plain = DhzmCell(_pretrain(folder), (striped_target(folder), striped_target(folder, "one")), tune_steps=2)
    penalised = DhzmCell(_pretrain(folder), (striped_target(folder),), Regularizer("radreg", 1.0), terms=True)
    rows = []
    for name, cell in (("a", plain), ("b", plain), ("c", penalised)):
        (tmp_path / name).mkdir()
        rows.append(run_cell(cell, tmp_path / name))
        assert not list((tmp_path / name).rglob("*.*"))
    first, again, other = rows
    assert first == again
    for key in ("probe_accuracy", "soft_error", "radreg"):
        assert other[f"two.start_{key}"] == first[f"two.start_{key}"]
        assert other[f"two.{key}"] != first[f"two.start_{key}"] or key == "probe_accuracy"
    assert {"one.tuned_accuracy", "two.tuned_validation", "loss", "gap"} <= first.keys()
    assert "two.start_tuned_accuracy" not in first and "two.complexity" in other
    assert first["gap"] == pytest.approx(first["loss"] - first["train_loss"])


def test_a_cell_whose_parts_do_not_go_together_is_refused(folder):
    pretrain, target = _pretrain(folder), striped_target(folder)
    with pytest.raises(InputError, match="'radreg' looks at the pool of one target, got 2"):
        DhzmCell(pretrain, (target, striped_target(folder, "one")), Regularizer("radreg", 1.0))
    with pytest.raises(InputError, match=r"with names of their own, got \['two', 'two'\]"):
        DhzmCell(pretrain, (target, target))
    with pytest.raises(InputError, match="the cell gives regularizer and pool"):
        DhzmCell(replace(pretrain, regularizer=Regularizer("l2", 1.0)), (target,))
    with pytest.raises(InputError, match="tune_steps"):
        DhzmCell(pretrain, (target,), tune_steps=-1)
