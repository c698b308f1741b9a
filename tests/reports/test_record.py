"""The schema names the offending field; report.json is strict JSON, whole or absent, and read back as written."""

import errno
import json
from pathlib import Path

import numpy as np
import pytest

from carryover._core.errors import DiskFullError, InputError
from carryover.reports.record import check_record, read_record, write_record

NAN = float("nan")


def _put(record, path, value):
    *parents, last = path
    for key in parents:
        record = record[key]
    record[last] = value


def test_every_example_meets_the_schema(examples):
    for record in (
        examples.example_record(),
        examples.example_record(1, task="regression"),
        examples.troubled_record(),
        examples.pretrained_record(),
        examples.fail_model(examples.example_record(2), 1, "truncated"),
    ):
        check_record(record)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (
            ["models", 0, "probe", "penalty"],
            "big",
            r"record\.models\[0\]\.probe\.penalty must be a finite number",
        ),
        (["models", 1, "probe", "accuracy", "value"], NAN, r"models\[1\]\.probe\.accuracy\.value .* finite"),
        (["models", 0, "scores", "logme", "value"], float("inf"), r"scores\.logme\.value must be a finite"),
        (["models", 0, "scores", "logme", "value"], None, r"logme\.value must be a number exactly when"),
        (["models", 0, "scores", "leep", "reason"], None, r"leep\.reason must say why .* 'not_applicable'"),
        (["models", 0, "scores", "knn", "interval"], [0.9, 0.1], r"knn\.interval must be .* low <= high"),
        (["models", 0, "scores", "knn", "interval"], [0.9], r"knn\.interval must be a pair"),
        (["models", 0, "scores", "knn", "status"], "fine", r"knn\.status must be one of ok, failed"),
        (["models", 0, "scores", "knn", "std_error"], -1.0, r"knn\.std_error must be a number in"),
        (["models", 0, "n_features"], np.int64(3), r"models\[0\]\.n_features must be an integer >= 0"),
        (
            ["models", 0, "learning_curve", "n"],
            [1],
            r"learning_curve: n, accuracy and interval must have equal",
        ),
        (["models", 0, "learning_curve", "n", 0], 0, r"learning_curve\.n\[0\] must be a number > 0"),
        (["models", 0, "bounds", "holdout", "vacuous"], "no", r"holdout\.vacuous must be true or false"),
        (["models", 0, "bounds", "holdout", "terms"], [], r"holdout\.terms must be an object with text keys"),
        (["models", 0, "name"], "  ", r"models\[0\]\.name must be text that is not empty"),
        (["models", 0, "name"], "pca-64", r"names must be unique, repeated: pca-64"),
        (["ranking", 0, "name"], "nobody", r"ranking\[0\]\.name names no model .* 'nobody'"),
        (["ranking", 0, "probability_best"], 1.5, r"probability_best must be a number in \[0, 1\]"),
        (["verdicts", 0, "limited_by"], "luck", r"limited_by must be one of labels, .* cannot_tell"),
        (["verdicts", 0, "checks"], "one", r"verdicts\[0\]\.checks must be a list"),
        (["warnings"], None, r"record\.warnings must be a list"),
        (["spec"], {"x": NAN}, r"record\.spec\.x must be a finite number"),
        (["spec"], {1: 2}, r"record\.spec must be an object with text keys"),
        (["extra"], {"array": np.zeros(2)}, r"record\.extra\.array must be a finite number"),
        (
            ["data", "target", "task"],
            "ranking",
            r"data\.target\.task must be one of classification, regression",
        ),
        (["data"], 3, r"record\.data must be an object"),
        (["schema"], "carryover.diagnosis/9", r"'carryover\.diagnosis/9', this version of carryover reads"),
        (["schema"], None, r"not a carryover diagnosis"),
    ],
)
def test_a_wrong_field_is_named(examples, path, value, said):
    record = examples.example_record()
    _put(record, path, value)
    with pytest.raises(InputError, match=said):
        check_record(record)


def test_a_missing_field_is_named_with_what_is_there(examples):
    record = examples.example_record(1)
    del record["models"][0]["scores"]["leep"]
    with pytest.raises(
        InputError, match=r"record\.models\[0\]\.scores\.leep is missing: there are: .*did you mean"
    ):
        check_record(record)


def test_written_and_read_back_it_is_the_same(examples, tmp_path):
    record = examples.troubled_record()
    write_record(record, tmp_path / "report.json")
    assert read_record(tmp_path / "report.json") == record
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


@pytest.mark.parametrize("text", ['{"schema": NaN}', "[", '{"schema": 1e', "[" * 100_000])
def test_what_is_not_strict_json_is_refused(tmp_path, text):
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"report\.json cannot be read as a diagnosis"):
        read_record(path)


def test_a_missing_report_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no report at .*absent\.json"):
        read_record(tmp_path / "absent.json")


def test_a_full_disk_leaves_the_old_file_and_nothing_else(examples, tmp_path, monkeypatch):
    path = tmp_path / "report.json"
    path.write_text("old")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("carryover.reports.record.os.fsync", full)
    with pytest.raises(DiskFullError, match=r"no space left while writing .*report\.json"):
        write_record(examples.example_record(1), path)
    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_the_schema_document_names_every_field(examples):
    document = (Path(__file__).parents[2] / "docs" / "report_schema.md").read_text()

    def keys(value):
        if isinstance(value, dict):
            for key, inner in value.items():
                yield key
                yield from keys(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from keys(inner)

    record = examples.adapted_record()
    record["all_bounds_of"] = examples.compared_record()["all_bounds_of"]
    record["models"][0]["all_bounds"] = [{**one, "term_notes": {}} for one in examples.all_bounds()]
    record["run_of_bounds"] = {**examples.bounds_record(), "all_bounds": []}
    free = {"spec", "versions", "hashes"}  # their keys are the run's own
    record["run"] |= {"versions": {}, "hashes": {}}
    record["spec"] = {}
    for model in record["models"]:
        for bound in [*model["bounds"].values(), *model.get("all_bounds", ())]:
            bound["terms"] = {}
    missing = {key for key in keys(record) if f"`{key}`" not in document} - {"run_of_bounds"}
    assert not missing
    assert all(f"`{key}`" in document for key in free)
    assert json.loads(json.dumps(record))["schema"] in document
    assert record["run_of_bounds"]["schema"] in document


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (
            ["terms", "pretraining", "gap", "value"],
            None,
            r"terms\.pretraining\.gap\.value must be a number exactly",
        ),
        (["terms", "pretraining", "family"], "all", r"terms\.pretraining\.family must be a list"),
        (["terms", "pretraining", "objective"], 3, r"terms\.pretraining\.objective must be text"),
        (["notes"], "one", r"models\[0\]\.notes must be a list"),
    ],
)
def test_a_wrong_field_of_pretraining_is_named(examples, path, value, said):
    record = examples.pretrained_record()
    _put(record, ["models", 0, *path], value)
    with pytest.raises(InputError, match=said):
        check_record(record)


def test_a_record_without_pretraining_terms_is_still_read(examples):
    record = examples.example_record()
    assert "pretraining" not in record["models"][0]["terms"]
    check_record(record)
