"""The main job through the command line, on precomputed features."""

import json
from pathlib import Path

import numpy as np
import pytest
from planted_features import planted
from safetensors.numpy import save_file

from carryover.diagnosis.config import read_config
from carryover.diagnosis.identity import content_hashes, run_id
from carryover.diagnosis.inputs import open_inputs
from carryover.diagnosis.options import RunOptions
from carryover.reports.record import check_record, read_record


def _models(files: dict[str, Path]) -> list[str]:
    return [argument for name, path in files.items() for argument in ("--model", f"{name}={path}")]


def test_ranks_the_good_model_first_and_writes_the_whole_report(diagnose_cli, feature_files):
    code, out, _ = diagnose_cli(*_models(feature_files))
    assert code == 0
    record = read_record(out / "report.json")
    check_record(record)
    assert record["ranking"][0]["name"] == "good"
    assert record["ranking"][0]["probability_best"] > 0.99
    assert sum(row["probability_best"] for row in record["ranking"]) == pytest.approx(1)
    assert record["data"]["target"]["n_train"] == 180 and record["data"]["target"]["n_test"] == 60
    assert "good" in (out / "report.html").read_text()
    assert {path.stem for path in (out / "tables").iterdir()} >= {"models", "scores", "bounds", "ranking"}


def test_the_same_seed_gives_the_same_record(diagnose_cli, feature_files):
    records = []
    for name in ("first", "second"):
        _, out, _ = diagnose_cli(*_models(feature_files), out=name)
        record = json.loads((out / "report.json").read_text())
        for model in record["models"]:
            del model["seconds"]
        del record["created"], record["run"]["seconds"]
        records.append(record)
    assert records[0] == records[1]


def _run_id(files: dict[str, Path], seed: int) -> str:
    models = [f"{name}={path}" for name, path in files.items()]
    spec = read_config(None, models=models, overrides={"seed": seed})
    inputs = open_inputs(spec, RunOptions())
    return run_id(spec, content_hashes(inputs.target, inputs.candidates, inputs.pools))


def test_the_run_id_knows_contents_and_not_places(feature_files, tmp_path):
    moved = {}
    for name, path in feature_files.items():
        moved[name] = tmp_path / "elsewhere" / path.name
        moved[name].parent.mkdir(exist_ok=True)
        moved[name].write_bytes(path.read_bytes())
    here = _run_id(feature_files, 0)
    assert _run_id(moved, 0) == here
    assert _run_id(feature_files, 1) != here
    assert _run_id({**feature_files, "poor": feature_files["good"]}, 0) != here


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_the_scale_of_features_changes_no_conclusion(diagnose_cli, tmp_path, scale):
    features, labels = planted(240, 10, strength=0.5)
    results = []
    for factor in (1.0, scale):
        path = tmp_path / f"scaled-{factor}.npz"
        np.savez(path, features=(features * factor).astype(np.float64), labels=labels)
        code, out, _ = diagnose_cli("--model", f"m={path}", out=f"out-{factor}")
        assert code == 0
        results.append(read_record(out / "report.json")["models"][0])
    for key in ("accuracy", "balanced_accuracy"):
        assert results[0]["probe"][key]["value"] == results[1]["probe"][key]["value"]
    assert results[0]["learning_curve"]["accuracy"] == pytest.approx(results[1]["learning_curve"]["accuracy"])
    for score in ("h_score", "knn", "ridge_loo", "transrate", "logme"):
        first, second = (result["scores"][score]["value"] for result in results)
        assert first == pytest.approx(second, rel=1e-4, abs=1e-4), score


def test_wide_constant_and_duplicated_features_are_measured(diagnose_cli, tmp_path):
    features, labels = planted(60, 8, strength=3.0)
    wide = np.hstack([features] * 20 + [np.ones((60, 5), np.float32)])
    for name, array in (("wide", wide), ("constant", np.ones((60, 4), np.float32))):
        np.savez(tmp_path / f"{name}.npz", features=array, labels=labels)
    code, out, _ = diagnose_cli(
        "--model", f"wide={tmp_path / 'wide.npz'}", "--model", f"constant={tmp_path / 'constant.npz'}"
    )
    assert code == 0
    models = {model["name"]: model for model in read_record(out / "report.json")["models"]}
    assert models["wide"]["probe"]["accuracy"]["value"] > 0.8
    for score in ("logme", "h_score", "ridge_loo"):
        assert models["constant"]["scores"][score]["status"] != "ok"
        assert models["constant"]["scores"][score]["reason"]


def test_regression_targets(diagnose_cli, tmp_path):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 12)).astype(np.float32)
    labels = features @ rng.normal(size=12) + 0.5 * rng.normal(size=200)
    np.savez(tmp_path / "r.npz", features=features, labels=labels)
    code, out, _ = diagnose_cli("--model", f"linear={tmp_path / 'r.npz'}")
    assert code == 0
    model = read_record(out / "report.json")["models"][0]
    noise_share = 0.25 / np.var(labels)
    assert model["probe"]["r2"]["value"] == pytest.approx(1 - noise_share, abs=0.04)
    assert model["scores"]["logme"]["status"] == "ok"
    assert model["scores"]["leep"]["status"] == "not_applicable"
    assert model["bounds"]["holdout"]["status"] == "not_applicable"


def test_groups_are_split_whole_and_widen_the_interval(diagnose_cli, tmp_path):
    rng = np.random.default_rng(0)
    n_groups, per_group = 60, 6
    labels = np.repeat(np.arange(n_groups) % 2, per_group)
    groups = np.repeat(np.arange(n_groups), per_group)
    features = np.repeat(rng.normal(size=(n_groups, 5)), per_group, axis=0) + 0.7 * labels[:, None]
    features = (features + 0.05 * rng.normal(size=features.shape)).astype(np.float32)
    widths = {}
    for name, extra in (("grouped", {"groups": groups}), ("rows", {})):
        np.savez(tmp_path / f"{name}.npz", features=features, labels=labels, **extra)
        code, out, _ = diagnose_cli("--model", f"m={tmp_path / f'{name}.npz'}", out=name)
        assert code == 0
        record = read_record(out / "report.json")
        low, high = record["models"][0]["probe"]["accuracy"]["interval"]
        widths[name] = high - low
        states = {a["state"] for a in record["models"][0]["bounds"]["holdout"]["assumptions"]}
        assert ("violated" in states) == (name == "grouped")
    assert widths["grouped"] > 1.5 * widths["rows"]


def test_safetensors_with_a_test_file_and_a_pretraining_sample(diagnose_cli, tmp_path):
    train, y = planted(150, 6, strength=0.7)
    test, y_test = planted(90, 6, strength=0.7, seed=5)
    save_file({"features": train, "labels": y}, tmp_path / "train.safetensors")
    save_file({"features": test, "labels": y_test}, tmp_path / "test.safetensors")
    save_file({"features": train + 30}, tmp_path / "far.safetensors")
    config = tmp_path / "config.toml"
    config.write_text(
        '[[models]]\nname = "m"\nfeatures = "train.safetensors"\ntest_features = "test.safetensors"\n'
        'pretraining_features = "far.safetensors"\n'
    )
    code, out, _ = diagnose_cli(str(config))
    assert code == 0
    record = read_record(out / "report.json")
    assert record["data"]["target"]["n_test"] == 90
    variation = record["models"][0]["terms"]["total_variation"]
    assert variation["interval"][0] > 0.9 and variation["interval"][1] == 1.0
    # Everything lies far from the pretraining sample, and that alone names nothing.
    assert record["verdicts"][0]["limited_by"] != "domain"


def test_a_split_by_class_is_told_of_in_every_bound(diagnose_cli, feature_files, tmp_path):
    """Class counts of a stratified test part are not random; those of a test file of its own are."""
    code, out, _ = diagnose_cli("--model", f"good={feature_files['good']}")
    assert code == 0
    apart, labels = planted(90, 10, strength=0.8, seed=3)
    np.savez(tmp_path / "test.npz", features=apart, labels=labels)
    config = tmp_path / "apart.toml"
    config.write_text(
        f'[[models]]\nname = "good"\nfeatures = "{feature_files["good"]}"\ntest_features = "{tmp_path / "test.npz"}"\n'
    )
    code, other, _ = diagnose_cli(str(config), out="apart")
    assert code == 0
    for folder, said in ((out, True), (other, False)):
        for bound in read_record(folder / "report.json")["models"][0]["bounds"].values():
            assert any("split class by class" in one["text"] for one in bound["assumptions"]) == said
