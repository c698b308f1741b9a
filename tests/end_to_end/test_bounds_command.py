"""``carryover bounds`` on a report and on adapted networks, as a person runs it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from adapt_files import adapted, write_stripes
from planted_features import planted
from tiny_runs import striped_images, tiny_run, write_images

from carryover import bounds_of_report
from carryover._core.errors import InputError
from carryover.cli.main import run
from carryover.diagnosis.in_memory import diagnose_features
from carryover.reports.record import check_record, read_record

CONFIDENT = {
    "holdout",
    "rademacher",
    "pac_bayes",
    "pac_bayes_split",
    "catoni_split",
    "compression",
    "disagreement",
}
IN_EXPECTATION = {"loss_difference_cmi", "prediction_cmi", "xu_raginsky"}


@pytest.fixture
def bounds_cli(tmp_path: Path, capsys: pytest.CaptureFixture) -> Callable:
    """Run ``carryover bounds``: the exit code, what it printed and its errors."""

    def call(*arguments: str) -> tuple[int, str, str]:
        code = run(["bounds", *map(str, arguments), "--cache", str(tmp_path / "cache")])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def report(diagnose_cli, feature_files) -> Path:
    models = [part for name, path in feature_files.items() for part in ("--model", f"{name}={path}")]
    code, out, _ = diagnose_cli(*models)
    assert code == 0
    return out


def test_a_report_gets_every_bound_of_every_model(report, bounds_cli):
    before = read_record(report / "report.json")
    code, printed, _ = bounds_cli(report)
    assert code == 0
    record = read_record(report / "report.json")
    check_record(record)
    for model, old in zip(record["models"], before["models"], strict=True):
        entries = {entry["name"]: entry for entry in model.pop("all_bounds")}
        assert model == old
        assert set(entries) >= CONFIDENT | IN_EXPECTATION
        for name in CONFIDENT:
            assert entries[name]["value"] == pytest.approx(sum(entries[name]["terms"].values()))
            assert entries[name]["confidence"] == 0.95 and entries[name]["truth"]["status"] == "ok"
        # The probe of the report and the classifier of the bounds are one.
        error = 1 - old["probe"]["accuracy"]["value"]
        assert entries["holdout"]["truth"]["value"] == pytest.approx(error)
        assert entries["holdout"]["value"] == pytest.approx(old["bounds"]["holdout"]["value"])
        assert entries["pac_bayes"]["value"] == pytest.approx(old["bounds"]["pac_bayes"]["value"])
        assert all(entries[name]["confidence"] is None for name in IN_EXPECTATION)
        assert entries["transfer"]["kind"] == "estimate" and "carryover" in entries["transfer"]["reason"]
    assert record["all_bounds_of"]["n_bound"] == 180 and record["all_bounds_of"]["n_test"] == 60
    assert 'id="all-bounds"' in (report / "report.html").read_text()
    table = pd.read_parquet(report / "tables" / "all_bounds.parquet")
    assert set(table["model"]) == {"good", "poor"} and "good" in printed and "PAC-Bayes" in printed


def test_bounds_that_are_there_are_replaced_only_when_asked(report, bounds_cli, tmp_path):
    assert bounds_cli(report)[0] == 0
    code, _, errors = bounds_cli(report)
    assert code == 2 and "--overwrite" in errors
    code, _, _ = bounds_cli(report, "--overwrite", "--confidence", "0.8")
    assert code == 0 and read_record(report / "report.json")["all_bounds_of"]["confidence"] == 0.8
    code, _, _ = bounds_cli(report, "--out", tmp_path / "copy", "--masks", "14")
    assert code == 0
    entries = read_record(tmp_path / "copy" / "report.json")["models"][0]["all_bounds"]
    assert next(one for one in entries if one["name"] == "prediction_cmi")["n_repeats"] == 14


def test_the_same_report_gives_the_same_bounds(report, bounds_cli, tmp_path):
    found = []
    for name in ("first", "second"):
        assert bounds_cli(report, "--out", tmp_path / name)[0] == 0
        record = read_record(tmp_path / name / "report.json")
        for model in record["models"]:
            for entry in model["all_bounds"]:
                del entry["seconds"]
        found.append([model["all_bounds"] for model in record["models"]])
    assert found[0] == found[1]


def test_data_that_changed_since_the_report_is_refused(report, bounds_cli, feature_files):
    features, labels = planted(240, 10, strength=0.8, seed=5)
    np.savez(feature_files["good"], features=features, labels=labels)
    code, _, errors = bounds_cli(report)
    assert code == 2 and "changed since the report was made" in errors


def test_data_that_is_gone_is_said(report, bounds_cli, feature_files):
    feature_files["good"].unlink()
    code, _, errors = bounds_cli(report)
    assert code == 2 and "cannot be opened again" in errors


def test_a_report_of_arrays_cannot_be_opened_again():
    features, labels = planted(120, 6, strength=0.8)
    record = json.loads(json.dumps(diagnose_features({"one": features}, labels).record))
    with pytest.raises(InputError, match="made from arrays"):
        bounds_of_report(record)


def test_numbers_have_no_error_rate_to_bound(diagnose_cli, bounds_cli, tmp_path):
    features, _ = planted(120, 6, strength=0.8)
    np.savez(tmp_path / "numbers.npz", features=features, labels=features[:, 0] + 0.1)
    code, out, _ = diagnose_cli("--model", f"m={tmp_path / 'numbers.npz'}")
    assert code == 0
    code, _, errors = bounds_cli(out)
    assert code == 2 and "bounds are on error rates" in errors


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--confidence", "1.0"), "confidence"),
        (("--confidence", "0"), "confidence"),
        (("--masks", "3"), "n_masks must be at least 6, got 3"),
        (("--masks", "7"), "7 masks are too few for 90 pairs: at least 12 are needed"),
    ],
)
def test_bad_flags_exit_with_two(report, bounds_cli, flags, said):
    code, _, errors = bounds_cli(report, *flags)
    assert code == 2 and said in errors
    assert "all_bounds_of" not in read_record(report / "report.json")


def test_folders_that_are_neither_are_said(bounds_cli, tmp_path):
    code, _, errors = bounds_cli(tmp_path)
    assert code == 2 and "neither a report" in errors
    (tmp_path / "run.json").write_text('{"schema": "carryover.run/1"}')
    code, _, errors = bounds_cli(tmp_path)
    assert code == 2 and "is a pretraining run" in errors and "carryover diagnose" in errors
    (tmp_path / "run.json").write_text("{")
    code, _, errors = bounds_cli(tmp_path)
    assert code == 2 and "is damaged" in errors
    (tmp_path / "run.json").write_text('{"schema": "carryover.adaptation/1"}')
    code, _, errors = bounds_cli(tmp_path)
    assert code == 2 and "no finished run" in errors


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Path]:
    """A linear probe and a fine-tuned network, on stripes."""
    folder = tmp_path_factory.mktemp("adapted")
    config = write_stripes(folder)
    found = {}
    for plan in ("linear_probe", "fine_tuning"):
        found[plan] = folder / plan
        assert adapted(config, found[plan], "--plan", plan, "--quiet") == 0
    return found


def test_an_adapted_network_is_bounded(runs, bounds_cli):
    for plan, folder in runs.items():
        code, printed, _ = bounds_cli(folder, "--overwrite")
        assert code == 0 and plan in printed
        record = json.loads((folder / "bounds.json").read_text())
        result = json.loads((folder / "result.json").read_text())
        assert record["schema"] == "carryover.bounds/1" and record["plan"] == plan
        entries = {entry["name"]: entry for entry in record["all_bounds"]}
        assert set(entries) == {"holdout", "adapted_head", "disagreement"}
        error = 1 - result["plans"][0]["test_accuracy"]["value"]
        assert entries["holdout"]["truth"]["value"] == pytest.approx(error)
        assert entries["disagreement"]["truth"]["value"] == pytest.approx(error)
        assert plan in (folder / "bounds.html").read_text()
        own = entries["adapted_head"]
        if plan == "linear_probe":
            assert own["status"] == "ok" and own["value"] >= own["terms"]["training_gibbs_error"]
        else:
            assert "changed the encoder by the training labels" in own["reason"]


def test_a_run_whose_bounds_are_there_or_whose_data_changed_is_refused(runs, bounds_cli, tmp_path):
    folder = runs["linear_probe"]
    bounds_cli(folder, "--overwrite")
    code, _, errors = bounds_cli(folder)
    assert code == 2 and "--overwrite" in errors
    run_json = json.loads((folder / "run.json").read_text())
    run_json["hashes"]["test"] = "another"
    (folder / "run.json").write_text(json.dumps(run_json))
    code, _, errors = bounds_cli(folder, "--out", tmp_path / "other")
    assert code == 2 and "test changed since the run" in errors


def test_a_model_without_bounds_is_said_and_the_others_have_theirs(
    diagnose_cli, bounds_cli, feature_files, tmp_path
):
    labels = np.load(feature_files["good"])["labels"]
    np.savez(tmp_path / "flat.npz", features=np.ones((240, 4), np.float32), labels=labels)
    code, out, _ = diagnose_cli(
        "--model", f"good={feature_files['good']}", "--model", f"flat={tmp_path / 'flat.npz'}"
    )
    assert code == 0
    assert bounds_cli(out)[0] == 0
    record = read_record(out / "report.json")
    assert "all_bounds" in record["models"][0] and "all_bounds" not in record["models"][1]
    assert any("Bounds of flat were not computed" in warning for warning in record["warnings"])


def test_a_report_without_measured_models_has_nothing_to_bound(report):
    record = read_record(report / "report.json")
    for model in record["models"]:
        model["status"], model["reason"] = "failed", "gone"
    with pytest.raises(InputError, match="no model of this report was measured"):
        bounds_of_report(record)


def test_labels_that_changed_since_a_run_are_refused(tmp_path, bounds_cli):
    config = write_stripes(tmp_path)
    folder = tmp_path / "run"
    assert adapted(config, folder, "--plan", "linear_probe", "--quiet") == 0
    run_json = folder / "run.json"
    record = json.loads(run_json.read_text())
    run_json.write_text(json.dumps({**record, "labels": "others"}))
    code, _, errors = bounds_cli(folder)
    assert code == 2 and "labels changed since the run" in errors
    run_json.write_text(json.dumps({**record, "hashes": {**record["hashes"], "train": "others"}}))
    code, _, errors = bounds_cli(folder)
    assert code == 2 and "train changed since the run" in errors
    run_json.write_text(json.dumps(record))
    table = pd.read_parquet(folder / "predictions.parquet")
    table.assign(label="wide").to_parquet(folder / "predictions.parquet")
    code, _, errors = bounds_cli(folder)
    assert code == 2 and "not of these test examples and labels" in errors


def _representation_states(entries: list[dict]) -> set[str]:
    return {
        one["state"]
        for entry in entries
        for one in entry["assumptions"]
        if "representation was chosen" in one["text"]
    }


def test_what_a_pretraining_run_saw_is_told_of_the_network_adapted_from_it(tmp_path, bounds_cli):
    pixels, classes = striped_images(160, 0)
    labelled = write_images(tmp_path / "labelled.parquet", pixels, classes)
    others = write_images(tmp_path / "others.parquet", striped_images(160, 7)[0])
    found = {}
    for name, source in {"saw": labelled, "did not": others}.items():
        model = tiny_run(tmp_path / name, source)
        out = tmp_path / f"{name} adapted"
        code = run(
            ["adapt", "--model", str(model), "--target.path", labelled, "--plan", "linear_probe",
             "--out", str(out), "--threads", "1", "--quiet"]
        )  # fmt: skip
        assert code == 0 and bounds_cli(out)[0] == 0
        found[name] = json.loads((out / "bounds.json").read_text())
    assert "violated" in _representation_states(found["saw"]["all_bounds"])
    assert any("among the images it was pretrained on" in one for one in found["saw"]["warnings"])
    assert _representation_states(found["did not"]["all_bounds"]) == {"checked"}


def test_an_unlabelled_sample_that_holds_labelled_examples_is_looked_at(diagnose_cli, bounds_cli, tmp_path):
    pixels, classes = striped_images(160, 0)
    labelled = write_images(tmp_path / "labelled.parquet", pixels, classes)
    pool = write_images(tmp_path / "pool.parquet", np.concatenate([pixels, striped_images(80, 7)[0]]))
    config = tmp_path / "config.toml"
    config.write_text(
        f'[target]\npath = "{labelled}"\n[unlabelled]\npath = "{pool}"\n'
        '[[models]]\nbaseline = "pca"\n[[models]]\nbaseline = "pixels"\n'
    )
    code, out, _ = diagnose_cli(str(config))
    assert code == 0 and bounds_cli(out)[0] == 0
    record = read_record(out / "report.json")
    n_train = record["data"]["target"]["n_train"]
    assert record["all_bounds_of"]["n_unlabelled"] == 240 - n_train
    assert f"without the {n_train} that are training examples" in record["all_bounds_of"]["unlabelled"]
    entries = {model["name"]: model["all_bounds"] for model in record["models"]}
    assert _representation_states(entries["pca"]) == {"violated"}
    assert _representation_states(entries["pixels"]) == {"checked"}
    looked = {
        name: [
            one["state"]
            for entry in found
            for one in entry["assumptions"]
            if "unlabelled examples." in one["text"]
        ]
        for name, found in entries.items()
    }
    assert looked == {"pca": ["violated"], "pixels": ["checked"]}
