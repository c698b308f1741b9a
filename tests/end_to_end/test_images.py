"""The main job on images: a network trained on the spot, a transformers folder, baselines; interruption and cache."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from carryover.experiments.digits import prepare_digits
from carryover.reports.record import read_record

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> Path:
    """The demo's inputs; returns the config."""
    return prepare_digits(tmp_path_factory.mktemp("digits"), seed=0)


@pytest.fixture(scope="module")
def vit_folder(tmp_path_factory) -> Path:
    """A small random ViT classifier for 8 x 8 images, saved in transformers format with a processor config."""
    from transformers import ViTConfig, ViTForImageClassification

    folder = tmp_path_factory.mktemp("vit") / "tiny-vit"
    config = ViTConfig(
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        image_size=8,
        patch_size=4,
        num_channels=1,
        num_labels=5,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        ViTForImageClassification(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        '{"do_resize": true, "size": {"height": 8, "width": 8}, "do_rescale": true, "rescale_factor": 0.00392156862,'
        ' "do_normalize": true, "image_mean": [0.5], "image_std": [0.5], "image_processor_type": "ViTImageProcessor"}'
    )
    return folder


def test_images_networks_and_a_pretraining_sample(diagnose_cli, digits, vit_folder):
    code, out, error = diagnose_cli(
        str(digits), "--model", f"tiny ViT={vit_folder}", "--target.n-labels", "80"
    )
    assert code == 0, error
    record = read_record(out / "report.json")
    models = {model["name"]: model for model in record["models"]}
    assert set(models) == {
        "small network",
        "small network, untrained",
        "random convolution",
        "PCA",
        "raw pixels",
        "tiny ViT",
    }
    trained, untrained = (
        models[name]["probe"]["accuracy"] for name in ("small network", "small network, untrained")
    )
    assert trained["interval"][0] > untrained["interval"][1]
    assert models["small network"]["scores"]["leep"]["status"] == "ok"
    assert models["raw pixels"]["scores"]["leep"]["status"] == "not_applicable"
    assert models["tiny ViT"]["scores"]["nce"]["status"] == "ok"
    assert models["tiny ViT"]["kind"] == "transformers"
    # The noise tells the target from the pretraining sample in pixels.
    assert models["raw pixels"]["terms"]["total_variation"]["interval"][0] > 0.5
    # PCA was fitted to the very images that are labelled: the bounds must say so.
    states = [one["state"] for one in models["PCA"]["bounds"]["pac_bayes"]["assumptions"]]
    assert "violated" in states


@pytest.mark.slow
def test_an_interrupted_run_leaves_no_report_and_a_cache_that_serves(digits, tmp_path):
    command = [sys.executable, "-m", "carryover", "diagnose", str(digits), "--out", str(tmp_path / "out")]
    command += ["--cache", str(tmp_path / "cache")]
    # A test run started in the background of a shell ignores SIGINT, and its children inherit that.
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("cache/**/*.npy")) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in error and "Traceback" not in error
    assert not (tmp_path / "out").exists()
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("cache/**/*.npy")}
    assert kept
    subprocess.run(
        [*command, "--measure.n-draws", "8", "--measure.n-partitions", "4"], check=True, env=ENVIRONMENT
    )
    assert all(path.stat().st_mtime_ns == written for path, written in kept.items())


def test_import_and_help_load_no_torch():
    script = "import sys, carryover\nfrom carryover.cli.main import run\n"
    script += "try:\n run(['--help'])\nexcept SystemExit: pass\n"
    script += "print('torch' in sys.modules, 'datasets' in sys.modules, 'matplotlib' in sys.modules)"
    printed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    assert printed.strip().splitlines()[-1] == "False False False"
