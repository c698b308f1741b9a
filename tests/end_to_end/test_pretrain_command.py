"""``carryover pretrain`` as a person runs it: stopped, killed, taken up again, and given what does not do."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset, Features, Image
from PIL import Image as Pillow

from carryover.cli.main import run
from carryover.objectives.saved import load_encoder
from carryover.training.metrics import read_metrics

RECIPE = """
held_out = 0.2

[data]
path = "{name}.parquet"

[objective]
kind = "denoising"
width = 6

[train]
steps = 40
batch_size = 16
micro_batch = 5
learning_rate = {learning_rate}
downstream_batch = 8
"""


def write_images(path: Path, seed: int, side: int = 8, n: int = 60) -> Path:
    """Parquet file of grey images."""
    pixels = np.random.default_rng(seed).integers(0, 256, size=(n, side, side)).astype(np.uint8)
    rows = {"image": [Pillow.fromarray(one) for one in pixels]}
    Dataset.from_dict(rows, features=Features({"image": Image()})).to_parquet(path)
    return path


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    write_images(tmp_path / "source.parquet", 0)
    write_images(tmp_path / "pool.parquet", 1, n=20)
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.format(name="source", learning_rate=1e-3))
    return path


def pretrain(recipe: Path, out: Path, *flags: str) -> int:
    return run(["pretrain", str(recipe), "--out", str(out), "--threads", "1", *flags])


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_encoder(folder).state_dict()


def equal(first: Path, second: Path) -> bool:
    one, other = weights(first), weights(second)
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_recipe_with_flags_is_run_and_said(recipe, tmp_path, capsys):
    pool = str(tmp_path / "pool.parquet")
    radreg = ("--regularizer.kind", "radreg", "--regularizer.strength", ".1", "--downstream", pool)
    assert pretrain(recipe, tmp_path / "run", *radreg, "--train.steps", "20") == 0
    printed = capsys.readouterr().out
    assert "step 20 of 20: loss" in printed and "radreg penalty" in printed and "images/s" in printed
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    value = result["pretraining_loss"]["held_out"]["value"]
    assert f"{value:.4g} [" in printed and "Next: carryover diagnose --model run=" in printed
    stored = json.loads((tmp_path / "run" / "run.json").read_text())["spec"]
    assert (stored["regularizer"]["kind"], stored["train"]["steps"]) == ("radreg", 20)
    assert pretrain(recipe, tmp_path / "quiet", "--quiet") == 0
    assert not capsys.readouterr().out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_stopped_or_killed_ends_as_an_undisturbed_one(recipe, tmp_path, number):
    assert pretrain(recipe, tmp_path / "whole", "--log-every", "1", "--quiet") == 0
    broken = tmp_path / "broken"
    command = [sys.executable, "-m", "carryover", "pretrain", str(recipe), "--out", str(broken),
               "--threads", "1", "--log-every", "1", "--checkpoint-every", "3"]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while (
        not list(broken.glob("checkpoints/step-*")) and process.poll() is None and time.monotonic() < deadline
    ):
        time.sleep(0.005)
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    if number != signal.SIGKILL:
        assert process.returncode == 130 and "Run the same command again" in out
        assert (broken / "model").exists() is False
    assert pretrain(recipe, broken, "--log-every", "1", "--quiet") == 0
    assert equal(tmp_path / "whole", broken)
    steps = [row["step"] for row in read_metrics(broken / "metrics.jsonl")]
    assert steps == list(range(1, 41))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--regularizer.kind", "l2", "--regularizer.strength", "-1"), "strength must be >= 0"),
        (("--regularizer.kind", "radreg"), r"give [downstream] path"),
        (("--train.batch-size", "100"), "batch_size must lie in [1, 48]"),
        (("--data.path", "nowhere"), "[data]"),
        (("--data.image", "picture"), "picture"),
        (("--data.max-examples", "0"), "max_examples must be >= 1, got 0"),
        (
            ("--regularizer.strength", ".1"),
            "strength 0.1 has nothing to multiply: give its kind, one of l2, radreg",
        ),
        (("--train.downstream-batch", "0"), "downstream_batch must be >= 1, got 0"),
        (("--train.learning-rate", "inf"), "learning rates must be finite"),
        (("--checkpoint-every", "0"), "checkpoint_every must be >= 1 step, got 0"),
        (("--log-every", "0"), "log_every must be >= 1 step, got 0"),
        (("--threads", "0"), "threads must be >= 1, got 0"),
        (("--device", "nowhere"), "device 'nowhere' cannot be used"),
    ],
)
def test_what_does_not_do_is_a_sentence_and_exit_code_2(recipe, tmp_path, capsys, flags, message):
    assert pretrain(recipe, tmp_path / "run", *flags) == 2
    assert message in capsys.readouterr().err


def test_a_full_disk_is_a_sentence_and_exit_code_2(recipe, tmp_path, capsys, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("carryover.training.checkpoint.save_file", full)
    assert pretrain(recipe, tmp_path / "run", "--quiet") == 2
    said = capsys.readouterr().err
    place = tmp_path / "run" / "checkpoints" / "step-00000040"
    assert said == f"carryover: no space is left to write {place}: free some and run again\n"


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        ('kind = "mae"\npatch_size = 3', "does not divide into patches of 3 x 3"),
        ('kind = "mae"\npatch_size = 2\nheads = 2\nmask_ratio = 0.99', "leaves nothing visible"),
        ('kind = "mae"\npatch_size = 2\nheads = 2\nmask_ratio = 0.0', "mask ratio must lie in (0, 1)"),
        ('kind = "context_encoder"\nregion = 8', "leaves nothing visible"),
        ('kind = "denosing"', "objective.kind must be one of"),
        ('kind = "denoising"\nwidht = 3', "did you mean 'width'?"),
    ],
)
def test_objectives_that_do_not_fit_are_refused(tmp_path, capsys, objective, message):
    write_images(tmp_path / "source.parquet", 0)
    path = tmp_path / "recipe.toml"
    path.write_text(
        f'[data]\npath = "source.parquet"\n[objective]\n{objective}\n[train]\nsteps = 5\nbatch_size = 8\n'
    )
    assert pretrain(path, tmp_path / "run") == 2
    assert message in capsys.readouterr().err


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_checkpoint(recipe, tmp_path, capsys):
    recipe.write_text(RECIPE.format(name="source", learning_rate=1e18))
    assert pretrain(recipe, tmp_path / "run", "--checkpoint-every", "1") == 2
    said = capsys.readouterr().err
    assert (
        "the loss is nan at step 2, learning rate 9.98e+17: training stopped, the checkpoint of step 1"
        in said
    )
    assert len(list((tmp_path / "run" / "checkpoints").glob("step-*"))) >= 1


def test_a_pool_of_another_shape_is_refused_unless_a_size_is_declared(recipe, tmp_path, capsys):
    pool = str(write_images(tmp_path / "large.parquet", 1, side=16, n=20))
    flags = ("--regularizer.kind", "radreg", "--downstream", pool)
    assert pretrain(recipe, tmp_path / "run", *flags) == 2
    said = capsys.readouterr().err
    assert "[downstream] images are 16 x 16 with 1 channel" in said and "[data] are 8 x 8" in said
    recipe.write_text("image_size = 8\n" + recipe.read_text())
    assert pretrain(recipe, tmp_path / "run", *flags, "--quiet") == 0


def test_another_config_in_the_same_folder_is_refused_by_its_keys(recipe, tmp_path, capsys):
    assert pretrain(recipe, tmp_path / "run", "--quiet") == 0
    assert pretrain(recipe, tmp_path / "run", "--train.learning-rate", ".1") == 2
    assert "these keys differ: train.learning_rate" in capsys.readouterr().err
