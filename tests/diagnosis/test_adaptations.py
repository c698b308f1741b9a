"""Runs of adapt are read strictly, matched by weights and target, and only what is shown enters the record."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from adaptation_results import PLANS, est, regime, result, run_json, without, write_run

from carryover._core.errors import InputError
from carryover.diagnosis.adaptation_record import adaptation_record
from carryover.diagnosis.adaptations import match_adaptations, read_adaptations
from carryover.diagnosis.candidates import Candidate
from carryover.diagnosis.config import read_config
from carryover.diagnosis.target import Part, Target


def candidate(name: str, weights: str) -> Candidate:
    return Candidate(name, "factory", "pooled", "none", weights, None)


def target(**changes) -> Target:
    images = SimpleNamespace(content_hash="t1")
    part = Part(np.arange(4), np.arange(4) % 2, None, images)
    known = Target(
        "pets", "classification", ("dog", "cat"), part, part, False, 8, 8, "by hand", {"label": "label"}
    )
    return replace(known, **changes)


def matched(folder: Path, *candidates: Candidate, known: Target | None = None):
    return match_adaptations(read_adaptations([str(folder)]), candidates, known or target())


def test_a_run_goes_to_the_model_whose_weights_it_adapted(tmp_path):
    folder = write_run(tmp_path / "deep" / "adapted")
    found = matched(folder, candidate("other", "w0"), candidate("mine", "w1"))
    assert [(one.model, one.run.folder, one.same_test) for one in found] == [("mine", "adapted", True)]


def test_other_test_examples_are_told(tmp_path):
    folder = write_run(tmp_path / "adapted", test="t2")
    assert not matched(folder, candidate("mine", "w1"))[0].same_test
    images = Part(np.arange(4), np.arange(4) % 2, None, None)
    assert not matched(write_run(tmp_path / "b"), candidate("m", "w1"), known=target(test=images))[
        0
    ].same_test


def test_of_two_models_with_its_weights_the_one_of_its_name(tmp_path):
    folder = write_run(tmp_path / "adapted")
    twins = candidate("first", "w1"), candidate("resnet56-cifar10", "w1")
    assert matched(folder, *twins)[0].model == "resnet56-cifar10"
    with pytest.raises(
        InputError, match="are those of first, second: name the one that is meant 'resnet56-cifar10'"
    ):
        matched(folder, candidate("first", "w1"), candidate("second", "w1"))


@pytest.mark.parametrize(
    ("weights", "changes", "said"),
    [
        ("w9", {}, "adapted the model 'resnet56-cifar10', .* has its weights; diagnosed are: a, b"),
        ("w1", {"class_names": ("cat", "eel")}, "other classes than those of pets; .* has: dog, eel$"),
        ("w1", {"class_names": tuple("abcdefg")}, "has: a, b, c, cat, d, ...$"),
        (
            "w1",
            {"task": "regression"},
            "is a run of classification, and the target pets is one of regression",
        ),
    ],
)
def test_a_run_that_does_not_belong_here_is_refused(tmp_path, weights, changes, said):
    folder = write_run(tmp_path / "adapted", weights=weights)
    with pytest.raises(InputError, match=said):
        matched(folder, candidate("a", "w0"), candidate("b", "w1"), known=target(**changes))


def test_a_folder_without_a_finished_run_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"there is no folder .*nowhere"):
        read_adaptations([str(tmp_path / "nowhere")])
    with pytest.raises(InputError, match=r"holds no run of carryover adapt: it has no run\.json"):
        read_adaptations([str(tmp_path)])
    folder = write_run(tmp_path / "stopped")
    (folder / "result.json").unlink()
    with pytest.raises(InputError, match=r"has no result\.json: the run has not ended"):
        read_adaptations([str(folder)])


def test_the_same_run_twice_is_refused(tmp_path):
    folders = [str(write_run(tmp_path / name)) for name in ("a", "b")]
    with pytest.raises(InputError, match=r"a and .*b hold the same run: give it once"):
        read_adaptations(folders)


def _changed(*keys, value):
    found = result()
    inner = found
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    return found


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (_changed("schema", value="carryover.adaptation/9"), "has the schema 'carryover.adaptation/9'"),
        ([], r"has the schema None, and only 'carryover\.adaptation/1' is read"),
        (without(result(), "winner"), r"is damaged: record\.winner is missing"),
        (_changed("winner", value="probe"), r"speaks of the plan 'probe', which is not among its plans"),
        (_changed("choice", "cannot_be_told_apart", value=["x"]), "speaks of the plan 'x'"),
        (_changed("plans", 0, "plan", value="lora"), r"plans: names must be unique, repeated: lora"),
        (_changed("target", "task", value="ranking"), r"target\.task must be one of classification"),
        (
            _changed("plans", 1, "validation_loss", value=None),
            r"plans\[1\]\.validation_loss must be a finite",
        ),
        (without(result(), "plans", 2, "test_accuracy"), r"plans\[2\]\.test_accuracy is missing"),
        (
            _changed("plans", 0, "test_accuracy", "value", value=None),
            r"test_accuracy\.value must be a number",
        ),
        (without(result(), "plans", 0, "decomposition", "parts", "generalization_gap"), "gap is missing"),
        (_changed("plans", 0, "forecast", "accuracy", value=0.5), r"forecast\.accuracy must be an object"),
        (without(result(), "plans", 1, "regime", "status"), r"regime\.status is missing"),
        (
            _changed("plans", 1, "regime", "learning", value="sometimes"),
            r"learning must be one of lazy, rich",
        ),
        (_changed("plans", 0, "regime", value={"status": "failed", "reason": None}), "reason must say why"),
        (_changed("plans", 1, "regime", "features", "cka", value="high"), r"cka must be a finite number"),
    ],
)
def test_a_result_is_checked_strictly(tmp_path, found, said):
    folder = write_run(tmp_path / "adapted", found=found)
    with pytest.raises(InputError, match=said) as caught:
        read_adaptations([str(folder)])
    assert str(folder / "result.json") in str(caught.value)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"schema": NaN}', '{"a":', b"\xff\xfe\x00"])
def test_what_is_not_strict_json_is_damaged(tmp_path, text):
    folder = write_run(tmp_path / "adapted")
    path = folder / "run.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=r"run\.json is damaged"):
        read_adaptations([str(folder)])


def test_run_json_must_hold_the_hashes(tmp_path):
    folder = write_run(tmp_path / "adapted")
    (folder / "run.json").write_text(json.dumps(without(run_json(), "hashes", "weights")))
    with pytest.raises(InputError, match=r"run\.json is damaged: record\.hashes\.weights is missing"):
        read_adaptations([str(folder)])


def _record(tmp_path, found):
    folder = write_run(tmp_path / "adapted", found=found)
    return adaptation_record(matched(folder, candidate("mine", "w1"))[0])


def test_the_record_holds_the_plans_best_first(tmp_path):
    record = _record(tmp_path, result())
    assert [plan["plan"] for plan in record["plans"]] == list(PLANS)
    assert str(tmp_path) not in json.dumps(record)
    for plan in record["plans"]:
        assert plan["test_accuracy"] == est(PLANS[plan["plan"]][0], 0.02)
    assert record["plans"][4]["forecast"]["accuracy"]["reason"] == "the kernel is zero"
    assert record["plans"][5]["regime"]["status"] == "not_applicable"
    assert record["plans"][0]["regime"]["borders"] == {"learning": 1.5, "pretraining": 0.1}


def test_what_is_missing_is_null_and_what_is_not_shown_is_left_out(tmp_path):
    found = result(whole=False)
    bare = {
        "status": "ok",
        "reason": None,
        "surprise": [1],
        "evidence": {"odd": 1},
        "features": {"cka": 0.25},
    }
    found["plans"][0]["regime"] = bare
    found["plans"][0]["forecast"] = {"surprise": 1}
    record = {plan["plan"]: plan for plan in _record(tmp_path, found)["plans"]}
    assert "surprise" not in json.dumps(record) and "odd" not in json.dumps(record)
    placed = record["linear_probe"]["regime"]
    assert placed["learning"] is None and placed["sentences"] == placed["layers"] == []
    assert set(placed["evidence"]) > set(regime("lora")["evidence"])
    assert set(placed["evidence"].values()) == {None}
    assert placed["features"]["cka"]["value"] == 0.25 and placed["features"]["cka"]["status"] == "ok"
    assert record["linear_probe"]["forecast"] == {"method": None, "accuracy": None}
    assert record["lora"]["forecast"] is record["lora"]["regime"] is None
    assert record["lora"]["out_of_domain_accuracy"] is None


def test_folders_count_from_the_config_file(tmp_path):
    (tmp_path / "adapted").mkdir()
    config = tmp_path / "c.toml"
    config.write_text('adaptations = ["adapted", "/elsewhere/x"]\n[[models]]\nfeatures = "f.npz"\n')
    assert read_config(config).adaptations == (str(tmp_path / "adapted"), "/elsewhere/x")
    assert read_config(config, overrides={"adaptations": ("one",)}).adaptations == ("one",)
    config.write_text('adaptations = "adapted"\n[[models]]\nfeatures = "f.npz"\n')
    with pytest.raises(InputError, match="adaptations must be a list"):
        read_config(config)


def test_plans_that_failed_are_kept_apart_from_those_that_did_not(tmp_path):
    found = result()
    found["plans"].append({"plan": "wild", "status": "failed", "reason": "the loss is nan", "history": []})
    folder = write_run(tmp_path / "adapted", found=found)
    record = adaptation_record(matched(folder, candidate("mine", "w1"))[0])
    assert record["failed"] == [{"plan": "wild", "reason": "the loss is nan"}]
    assert "wild" not in {plan["plan"] for plan in record["plans"]}
    del found["plans"][-1]["reason"]
    with pytest.raises(InputError, match="reason is missing"):
        matched(write_run(tmp_path / "damaged", found=found), candidate("mine", "w1"))
