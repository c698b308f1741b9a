"""``carryover diagnose --adaptation`` as a person runs it: adapt a network, then see the run in the report."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from adaptation_results import regime
from datasets import ClassLabel, Dataset, Features, Image
from PIL import Image as Pillow

from carryover.cli.main import run
from carryover.reports.record import read_record

MODEL = """
factory = "carryover.models.backbones:small_cnn"
arguments = { n_classes = 3, channels = 1, width = 4 }
"""
TARGET = '[target]\npath = "stripes.parquet"\nn_labels = 60\n'
DIAGNOSIS = f'[[models]]\nname = "small network"{MODEL}{TARGET}'


@pytest.fixture(scope="module")
def adapted(tmp_path_factory) -> Path:
    """A folder with images of stripes, a run of the probe on them, and a diagnosis config."""
    folder = tmp_path_factory.mktemp("stripes")
    generator = np.random.default_rng(0)
    labels = np.arange(160) % 3
    waves = np.sin(np.arange(8)[None, None, :] * (labels[:, None, None] + 1)) * 60 + 128
    pixels = np.clip(waves + 25 * generator.normal(size=(160, 8, 8)), 0, 255).astype(np.uint8)
    rows = {"image": [Pillow.fromarray(one) for one in pixels], "label": labels}
    columns = Features({"image": Image(), "label": ClassLabel(names=["wide", "middle", "narrow"])})
    Dataset.from_dict(rows, features=columns).to_parquet(folder / "stripes.parquet")
    (folder / "adapt.toml").write_text(f'plan = "linear_probe"\n[model]{MODEL}{TARGET}')
    (folder / "diagnose.toml").write_text(DIAGNOSIS)
    out = folder / "runs" / "probe"
    assert run(["adapt", str(folder / "adapt.toml"), "--out", str(out), "--threads", "1", "--quiet"]) == 0
    return folder


def test_a_run_is_in_the_report_and_in_the_summary(adapted, tmp_path, capsys):
    config = tmp_path / "diagnose.toml"
    config.write_text(f'adaptations = ["runs/probe"]\n{DIAGNOSIS}')
    shutil.copytree(adapted / "runs", tmp_path / "runs")
    shutil.copy(adapted / "stripes.parquet", tmp_path)
    path = tmp_path / "runs" / "probe" / "result.json"
    result = json.loads(path.read_text())
    result["plans"][0]["regime"] = regime("lora")
    path.write_text(json.dumps(result))
    out, cache = tmp_path / "out", tmp_path / "cache"
    quick = ["--measure.n-draws", "8", "--measure.n-partitions", "4", "--cache", str(cache)]
    assert run(["diagnose", str(config), "--out", str(out), *quick]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    record = read_record(out / "report.json")
    (shown,) = record["models"][0]["adaptation"]
    assert shown["folder"] == "probe" and shown["same_test"] and record["spec"]["adaptations"] == ["probe"]
    # The probe is the one that the diagnosis fits, on fewer labels and the same test examples.
    (plan,) = shown["plans"]
    assert plan["test_accuracy"]["value"] == result["plans"][0]["test_accuracy"]["value"]
    assert plan["test_accuracy"]["n_samples"] == record["data"]["target"]["n_test"]
    assert shown["n_train"] + shown["n_validation"] == record["data"]["target"]["n_train"]
    assert record["run"]["hashes"]["adaptations"].keys() == {shown["id"]}
    assert "small network, run probe: linear_probe wins, test accuracy" in printed
    page = (out / "report.html").read_text()
    assert '<section id="adaptation">' in page and '<section id="regime">' in page
    assert "linear_probe is the only plan." in page
    assert str(tmp_path) not in json.dumps(record["models"]) and str(tmp_path / "runs") not in page


def _damage(folder: Path) -> str:
    (folder / "result.json").write_text('{"schema": "carryover.adaptation/1"}')
    return r"result\.json is damaged: record\.\w+ is missing"


def _stop(folder: Path) -> str:
    (folder / "result.json").unlink()
    return r"has no result\.json: the run has not ended"


def _remove(folder: Path) -> str:
    shutil.rmtree(folder)
    return "there is no folder"


def _exchange(folder: Path) -> str:
    record = json.loads((folder / "run.json").read_text())
    record["hashes"]["weights"] = "0" * 64
    (folder / "run.json").write_text(json.dumps(record))
    return "no model diagnosed here has its weights; diagnosed are: small network$"


@pytest.mark.parametrize("spoil", [_damage, _stop, _remove, _exchange])
def test_a_run_that_cannot_be_shown_is_bad_input(adapted, tmp_path, diagnose_cli, spoil):
    folder = tmp_path / "probe"
    shutil.copytree(adapted / "runs" / "probe", folder)
    said = spoil(folder)
    code, out, error = diagnose_cli(str(adapted / "diagnose.toml"), "--adaptation", str(folder))
    assert code == 2 and re.search(said, error) and "Traceback" not in error
    assert not out.exists()
