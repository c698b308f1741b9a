"""From pretraining runs to the report: the terms, the guard against leaks, and folders that cannot be used."""

import json
import re
import shutil

import pandas as pd
import pytest
from safetensors.numpy import load_file
from tiny_runs import striped_images, tiny_run, write_images

from carryover.cli.main import run as run_command
from carryover.reports.record import read_record

DENOISING = {"objective": {"kind": "denoising", "width": 8}}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs of one family and one whose pool holds labelled examples, with the target they are for."""
    folder = tmp_path_factory.mktemp("runs")
    target_images, classes = striped_images(72, 1)
    source = write_images(folder / "source.parquet", striped_images(100, 0)[0])
    pool = write_images(folder / "pool.parquet", striped_images(30, 2)[0])
    leaky = write_images(folder / "leaky.parquet", [*striped_images(20, 3)[0], *target_images[:24]])
    return {
        "target": write_images(folder / "target.parquet", target_images, classes),
        "plain": tiny_run(folder / "plain", source, **DENOISING),
        "radreg": tiny_run(folder / "radreg", source, pool=pool, **DENOISING),
        "leaky": tiny_run(folder / "leaky", source, pool=leaky, **DENOISING),
    }


def _models(runs, **names) -> list[str]:
    flags = [f"--model={name}={runs[run]}" for name, run in names.items()]
    return ["--target.path", runs["target"], *flags]


def test_two_runs_are_diagnosed_with_their_pretraining_terms(diagnose_cli, runs):
    config = runs["plain"].parent / "config.toml"
    config.write_text('[target]\npath = "target.parquet"\n[[models]]\nbaseline = "pixels"\n')
    models = [f"--model={name}={runs[name]}" for name in ("plain", "radreg")]
    code, out, error = diagnose_cli(str(config), *models)
    assert code == 0, error
    record = read_record(out / "report.json")
    assert record["warnings"] == []
    found = {model["name"]: model for model in record["models"]}
    losses = {
        name: load_file(runs[name] / "held_out_losses.safetensors")["losses"] for name in ("plain", "radreg")
    }
    least = min(one.mean() for one in losses.values())
    for name in ("plain", "radreg"):
        stored = json.loads((runs[name] / "result.json").read_text())
        terms = found[name]["terms"]["pretraining"]
        assert terms["held_out"]["value"] == pytest.approx(losses[name].mean(), rel=1e-12)
        assert terms["gap"]["value"] == pytest.approx(stored["gap"], rel=1e-9)
        assert terms["excess"]["value"] == pytest.approx(losses[name].mean() - least, abs=1e-12)
        assert terms["family"] == ["plain", "radreg"] and found[name]["kind"] == "pretrained"
        states = {bound: found[name]["bounds"][bound]["assumptions"][1] for bound in ("holdout", "pac_bayes")}
        assert {one["state"] for one in states.values()} == {"checked"}
    assert found["pixels"]["terms"]["pretraining"]["gap"]["status"] == "not_applicable"
    table = pd.read_parquet(out / "tables" / "terms.parquet").set_index(["model", "term"])["value"]
    assert table["radreg", "pretraining_train"] == found["radreg"]["terms"]["pretraining"]["train"]["value"]
    assert "Excess over the best of its family" in (out / "report.html").read_text()


def test_a_pool_with_labelled_examples_is_bad_input(diagnose_cli, runs):
    code, out, error = diagnose_cli(*_models(runs, ours="leaky"))
    assert code == 2 and not out.exists() and "Traceback" not in error
    # 24 of the 72 rows of the target are in the pool, whichever side of the split they fell on.
    counts = re.findall(r"(\d+) of the (\d+) (?:training|test) examples", error)
    assert [sum(map(int, numbers)) for numbers in zip(*counts, strict=True)] == [24, 72]
    assert "--allow-overlap" in error


def test_an_overlap_allowed_by_name_is_in_every_output(runs, tmp_path, capsys):
    flags = ["--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]
    flags += ["--measure.n-draws", "8", "--measure.n-partitions", "4", "--allow-overlap", "ours"]
    assert run_command(["diagnose", *_models(runs, ours="leaky", theirs="radreg"), *flags]) == 0
    record = read_record(tmp_path / "out" / "report.json")
    (warning,) = record["warnings"]
    assert "'ours'" in warning and "allowed by name" in warning
    ours, theirs = record["models"]
    assert warning in ours["notes"] and not any("allowed" in note for note in theirs["notes"])
    assert record["spec"]["allow_overlap"] == ["ours"]
    assert [one["bounds"]["pac_bayes"]["assumptions"][1]["state"] for one in (ours, theirs)] == [
        "violated",
        "checked",
    ]
    assert "allowed by name" in (tmp_path / "out" / "report.html").read_text()
    notes = pd.read_parquet(tmp_path / "out" / "tables" / "models.parquet").set_index("model")["notes"]
    assert warning in notes["ours"]
    assert "allowed by name" in " ".join(capsys.readouterr().out.split())


def test_pretraining_images_that_are_labelled_examples_warn(diagnose_cli, runs, tmp_path):
    same = tiny_run(tmp_path / "same", runs["target"], **DENOISING)
    code, out, error = diagnose_cli(*_models({**runs, "same": same}, m="same"))
    assert code == 0, error
    record = read_record(out / "report.json")
    assert any("among the images it was pretrained on" in one for one in record["warnings"])
    assumption = record["models"][0]["bounds"]["rademacher"]["assumptions"][1]
    assert assumption["state"] == "violated"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda run: shutil.rmtree(run / "model"), "not finished"),
        (lambda run: (run / "model" / "weights.safetensors").write_bytes(b"0"), "missing or corrupt"),
        (
            lambda run: (run / "model" / "encoder.json").write_text('{"schema": "theirs"}'),
            "not of this version",
        ),
        (lambda run: (run / "run.json").write_text('{"project": "theirs"}'), "not of a pretraining run"),
    ],
)
def test_a_damaged_or_foreign_run_is_bad_input(diagnose_cli, runs, tmp_path, damage, said):
    copy = shutil.copytree(runs["plain"], tmp_path / "copy")
    damage(copy)
    code, out, error = diagnose_cli(*_models({**runs, "copy": copy}, m="copy"))
    assert code == 2 and not out.exists()
    assert error.startswith("carryover: model 'm': ") and said in error and "Traceback" not in error


def test_a_name_to_allow_that_is_misspelt_is_bad_input(diagnose_cli, runs):
    code, _, error = diagnose_cli(*_models(runs, ours="leaky"), "--allow-overlap", "our")
    assert code == 2 and "did you mean 'ours'" in error
