"""``carryover adapt`` and ``carryover predict`` as a person runs them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from adapt_files import STRIPES_CONFIG as CONFIG
from adapt_files import adapted, write_stripes
from datasets import ClassLabel, Dataset, Features, Image
from PIL import Image as Pillow
from safetensors.torch import load_file
from transformers import ViTConfig, ViTModel

from carryover._core.strict import build
from carryover.adaptation.config import read_adaptation
from carryover.adaptation.run import AdaptOptions, adapt
from carryover.cli.main import run
from carryover.pretraining.run import pretrain
from carryover.pretraining.specs import PretrainSpec


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_stripes(tmp_path)


def test_all_plans_are_compared_and_the_winner_predicts(config, tmp_path, capsys):
    out = tmp_path / "run"
    assert adapted(config, out, "--decompose") == 0
    printed = capsys.readouterr().out
    record = json.loads((out / "result.json").read_text())
    rows = {row["plan"]: row for row in record["plans"]}
    assert set(rows) == {"linear_probe", "fine_tuning", "lp_ft", "l2_sp", "ball", "lora", "late layers"}
    losses = {name: row["validation_loss"] for name, row in rows.items()}
    assert (
        record["winner"] == min(losses, key=losses.get)
        and f"{record['winner']} has the least loss" in printed
    )
    near = record["choice"]["cannot_be_told_apart"]
    assert record["winner"] in near and record["choice"]["sentence"] in printed
    assert all(record["choice"]["excess"][name]["interval"][0] > 0 for name in set(rows) - set(near))
    for row in rows.values():
        found = row["test_accuracy"]
        assert f"{row['plan']}: test accuracy {found['value']:.3f}" in printed
        assert found["interval"][0] < found["value"] <= found["interval"][1]
        parts = row["decomposition"]["parts"]
        assert sum(one["value"] for one in parts.values()) == pytest.approx(
            row["decomposition"]["loss"]["value"]
        )
    assert rows[record["winner"]]["less_than_winner"]["status"] == "not_applicable"
    assert record["target"]["n_train"] + record["target"]["n_validation"] == 60
    # The predictor says of the test images what the run wrote, by hash.
    table = tmp_path / "found.parquet"
    assert run(["predict", str(out), str(tmp_path / "stripes.parquet"), "--out", str(table)]) == 0
    found = pd.read_parquet(table).set_index("hash")
    stored = pd.read_parquet(out / "predictions.parquet")
    assert len(found) == 160 and set(stored["hash"]) <= set(found.index)
    names = ["wide", "middle", "narrow"]
    for one in stored.itertuples():
        assert found.loc[one.hash, "label"] == names[int(np.argmax(one.logits))]
    probabilities = found[[f"probability {name}" for name in names]].to_numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-9)
    right = np.mean([names[int(np.argmax(one.logits))] == one.label for one in stored.itertuples()])
    assert right == pytest.approx(rows[record["winner"]]["test_accuracy"]["value"])


def test_numbers_are_adapted_to_and_predicted(config, tmp_path):
    flags = (
        "--target.path",
        str(tmp_path / "numbers.parquet"),
        "--target.task",
        "regression",
        "--plan",
        "lp_ft",
    )
    assert adapted(config, tmp_path / "run", *flags, "--quiet") == 0
    row = json.loads((tmp_path / "run" / "result.json").read_text())["plans"][0]
    assert row["test_r2"]["status"] == "ok" and "test_accuracy" not in row
    table = tmp_path / "found.csv"
    assert (
        run(["predict", str(tmp_path / "run"), str(tmp_path / "numbers.parquet"), "--out", str(table)]) == 0
    )
    assert pd.read_csv(table)["label"].dtype == np.float64


def test_every_plan_is_also_measured_in_another_domain(config, tmp_path, capsys):
    """The same stripes without the first class, coded otherwise, and brighter."""
    table = Dataset.from_parquet(str(tmp_path / "stripes.parquet"), cache_dir=str(tmp_path / "cache"))
    kept = [row for row in range(160) if table[row]["label"] > 0]
    pixels = [
        np.clip(np.asarray(table[row]["image"]).astype(int) + 40, 0, 255).astype(np.uint8) for row in kept
    ]
    labels = [2 - table[row]["label"] for row in kept]
    other = {"image": [Pillow.fromarray(one) for one in pixels], "label": labels}
    features = Features({"image": Image(), "label": ClassLabel(names=["narrow", "middle"])})
    Dataset.from_dict(other, features=features).to_parquet(tmp_path / "bright.parquet")
    config.write_text(CONFIG + '\n[out_of_domain]\npath = "bright.parquet"\n')
    assert adapted(config, tmp_path / "run", "--plan", "linear_probe") == 0
    row = json.loads((tmp_path / "run" / "result.json").read_text())["plans"][0]
    found = row["out_of_domain_accuracy"]
    assert found["n_samples"] == len(kept)
    assert f"out of domain {found['value']:.3f} [" in capsys.readouterr().out
    predicted = tmp_path / "found.parquet"
    run(["predict", str(tmp_path / "run"), str(tmp_path / "bright.parquet"), "--out", str(predicted)])
    names = ["narrow", "middle"]
    right = np.mean(pd.read_parquet(predicted)["label"].to_numpy() == [names[code] for code in labels])
    assert found["value"] == pytest.approx(right)
    other["label"] = [0] * 40 + [1] * (len(kept) - 40)
    features["label"] = ClassLabel(names=["narrow", "dotted"])
    Dataset.from_dict(other, features=features).to_parquet(tmp_path / "bright.parquet")
    assert adapted(config, tmp_path / "second", "--plan", "linear_probe") == 2
    assert "classes that the target lacks: dotted" in capsys.readouterr().err


def test_a_stopped_run_is_taken_up_and_ends_as_one_that_was_not(config, tmp_path):
    spec = read_adaptation(config, overrides={"plan": "late layers"})
    adapt(spec, tmp_path / "whole")
    asked = iter([False] * 6 + [True])
    first = adapt(spec, tmp_path / "broken", AdaptOptions(stop=lambda: next(asked, False)))
    assert not first.done and not (tmp_path / "broken" / "model").exists()
    assert adapt(spec, tmp_path / "broken").done
    one, other = (
        load_file(tmp_path / name / "model" / "weights.safetensors") for name in ("whole", "broken")
    )
    assert all((one[name] == other[name]).all() for name in one)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--plan", "lp_tf"), "did you mean 'lp_ft'?"),
        (("--target.path", "nowhere.parquet"), "nowhere.parquet"),
        (("--target.n-labels", "3"), "too few"),
        (("--train.steps", "0"), "train.steps and batch_size must be >= 1"),
        (("--model", "missing-folder/x/y"), "exactly one of"),
    ],
)
def test_what_does_not_do_is_a_sentence_and_exit_code_2(config, tmp_path, capsys, flags, message):
    assert adapted(config, tmp_path / "run", *flags) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"encoder.encoder.8.*"', '"encoder.encodr.8.*"', "matches no parameter; near matches: "),
        ('keep = "best_on_validation"', "radius = -1.0", "radius must be >= 0"),
        ('name = "late layers"', 'name = "ball"', "not those of built-in plans: ball"),
        ("[model]\nfactory", "[model]\nfeatures", "cannot be adapted: give a network"),
    ],
)
def test_a_config_that_does_not_do_is_refused(config, tmp_path, capsys, old, new, message):
    text = CONFIG.replace(old, new)
    assert text != CONFIG
    config.write_text(text)
    assert adapted(config, tmp_path / "run", "--plan", "late layers") == 2
    assert message in capsys.readouterr().err


def test_a_damaged_predictor_is_refused(config, tmp_path, capsys):
    assert adapted(config, tmp_path / "run", "--plan", "linear_probe", "--quiet") == 0
    weights = tmp_path / "run" / "model" / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    stripes = str(tmp_path / "stripes.parquet")
    assert run(["predict", str(tmp_path / "run"), stripes, "--out", str(tmp_path / "p.csv")]) == 2
    assert "missing or corrupt" in capsys.readouterr().err
    assert run(["predict", str(tmp_path), stripes, "--out", str(tmp_path / "p.csv")]) == 2
    assert "holds no finished run of carryover adapt" in capsys.readouterr().err
    assert run(["predict", str(tmp_path / "run"), stripes, "--out", str(tmp_path / "p.txt")]) == 2
    assert "must end in .parquet or .csv" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["transformers", "pretrained"])
def test_the_predictor_stands_on_its_own(config, tmp_path, kind):
    source, stripes = tmp_path / "source", tmp_path / "stripes.parquet"
    if kind == "transformers":
        size = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
        torch.manual_seed(0)
        model = ViTModel(ViTConfig(**size, image_size=8, patch_size=4, num_channels=1))
        model.save_pretrained(source)
    else:
        table = {"data": {"path": str(stripes)}, "objective": {"kind": "denoising", "width": 4}}
        pretrain(build(PretrainSpec, {**table, "train": {"steps": 3, "batch_size": 16}}), source)
    text = (
        CONFIG[: CONFIG.index("[model]")]
        + f'[model]\npath = "{source}"\n'
        + CONFIG[CONFIG.index("[target]") :]
    )
    config.write_text(text)
    assert adapted(config, tmp_path / "run", "--plan", "lora", "--quiet") == 0
    predict = ["predict", str(tmp_path / "run"), str(stripes), "--out", str(tmp_path / "before.csv")]
    assert run(predict) == 0
    shutil.rmtree(source)
    (tmp_path / "run").rename(tmp_path / "moved")
    assert run(["predict", str(tmp_path / "moved"), str(stripes), "--out", str(tmp_path / "after.csv")]) == 0
    assert (tmp_path / "before.csv").read_text() == (tmp_path / "after.csv").read_text()
