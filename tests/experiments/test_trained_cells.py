"""Cells that train: their rows are what the commands find, with one worker or two, and after a kill."""

import json
import math

import pytest
from sweep_examples import swept

from carryover.experiments.cells import plan_sweep

pytestmark = pytest.mark.slow
# What loads torch and datasets is imported inside: collecting the default tests must not take seconds for it.


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    from tiny_runs import striped_images, write_images

    folder = tmp_path_factory.mktemp("images")
    pixels, _ = striped_images(160, 0)
    return {
        "source": write_images(folder / "source.parquet", pixels[:90]),
        "pool": write_images(folder / "pool.parquet", pixels[90:130]),
        "target": write_images(folder / "target.parquet", *striped_images(120, 1)),
    }


def pretraining(images):
    from tiny_runs import MAE, TRAIN

    return plan_sweep(
        {
            "sweep": {"command": "pretrain"},
            "base": {
                "data": {"path": images["source"]},
                "downstream": {"path": images["pool"]},
                "objective": MAE,
                "train": {**TRAIN, "steps": 6},
                "held_out": 0.3,
                "regularizer": {"kind": "radreg"},
            },
            "over": {"regularizer.strength": [0.1, 1.0], "seed": [0, 1]},
        }
    )


def test_pretraining_rows_are_the_runs_whatever_the_number_of_workers(images, tmp_path):
    from tiny_runs import TRAIN, tiny_run

    plan = pretraining(images)
    store, found = swept(plan, tmp_path / "one")
    assert (found.n_computed, found.n_failed) == (4, 0)
    table = store.read().table
    for row in table.to_pylist():
        run = tiny_run(
            tmp_path / row["id"][:8],
            images["source"],
            train={**TRAIN, "steps": 6},
            seed=row["seed"],
            downstream={"path": images["pool"]},
            regularizer={"kind": "radreg", "strength": row["regularizer.strength"]},
        )
        result = json.loads((run / "result.json").read_text())
        held_out = result["pretraining_loss"]["held_out"]
        assert (row["held_out_loss"], row["held_out_loss_low"]) == (
            held_out["value"],
            held_out["interval"][0],
        )
        assert row["radreg_after"] == result["radreg_of_pool"]["after"]["estimate"]["value"]
        kept = json.loads((store.run_folder(row["id"]) / "run" / "result.json").read_text())
        assert kept["pretraining_loss"] == result["pretraining_loss"]
    two, _ = swept(plan, tmp_path / "two", backend="loky", workers=2)
    assert two.read().table.equals(table)


def test_adaptation_rows_name_the_winner_and_every_plan(tmp_path):
    from adapt_files import write_stripes

    write_stripes(tmp_path)
    plan = plan_sweep(
        {
            "sweep": {"command": "adapt"},
            "base": {
                "plan": "all",
                "model": {
                    "factory": "carryover.models.backbones:small_cnn",
                    "arguments": {"n_classes": 3, "channels": 1, "width": 4},
                },
                "target": {"path": str(tmp_path / "stripes.parquet"), "n_labels": 40},
                "train": {"batch_size": 8},
                "forecast": {"make": False},
                "regime": {"plans": "none"},
            },
            "over": {"train.steps": [3, 5]},
        }
    )
    store, found = swept(plan, tmp_path / "x")
    assert found.n_failed == 0
    for row in store.read().table.to_pylist():
        result = json.loads((store.run_folder(row["id"]) / "run" / "result.json").read_text())
        plans = {one["plan"]: one for one in result["plans"]}
        assert row["winner"] == result["winner"] and len(plans) > 3
        assert row["test_accuracy"] == plans[row["winner"]]["test_accuracy"]["value"]
        for name, one in plans.items():
            assert row[f"{name}.test_accuracy_high"] == one["test_accuracy"]["interval"][1]
            assert row[f"{name}.validation_loss"] == one["validation_loss"]


def test_diagnosis_rows_are_the_reports(images, tmp_path, monkeypatch):
    from carryover.diagnosis.pipeline import diagnose

    monkeypatch.setenv("CARRYOVER_CACHE", str(tmp_path / "cache"))
    base = {
        "models": [{"name": "pixels", "baseline": "pixels"}, {"name": "pca", "baseline": "pca"}],
        "target": {"path": images["target"], "n_labels": 60},
        "measure": {"n_draws": 8, "n_partitions": 4},
    }
    plan = plan_sweep({"sweep": {"command": "diagnose"}, "base": base, "over": {"target.n_labels": [50, 60]}})
    store, found = swept(plan, tmp_path / "x")
    assert found.n_failed == 0
    direct = diagnose(base).record
    row = next(one for one in store.read().table.to_pylist() if one["target.n_labels"] == 60)
    best = direct["ranking"][0]
    assert (row["best"], row["accuracy"]) == (best["name"], best["accuracy"]["value"])
    assert row["limited_by"] in {verdict["limited_by"] for verdict in direct["verdicts"]}
    for one in direct["ranking"]:
        assert row[f"{one['name']}.accuracy"] == one["accuracy"]["value"]
    kept = json.loads((store.run_folder(row["id"]) / "report.json").read_text())
    assert kept["run"]["id"] == direct["run"]["id"]
    assert all(math.isfinite(value) for value in row.values() if isinstance(value, float))


def test_a_run_that_cannot_be_made_keeps_its_row(images, tmp_path):
    from tiny_runs import MAE, TRAIN

    plan = plan_sweep(
        {
            "sweep": {"command": "pretrain"},
            "base": {"data": {"path": images["source"]}, "objective": MAE, "train": {**TRAIN, "steps": 2}},
            "over": {"objective.patch_size": [4, 5]},
        }
    )
    store, found = swept(plan, tmp_path / "x")
    assert found.n_failed == 1
    bad, good = sorted(store.read().table.to_pylist(), key=lambda row: row["status"])
    assert good["objective.patch_size"] == 4 and bad["held_out_loss"] is None and "5" in bad["reason"]
