"""The main job on images: a network trained on the spot, a transformers folder, baselines; interruption and cache."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from carryover.experiments.digits import prepare_digits, write_digits
from carryover.models.backbones import small_cnn
from carryover.reports.record import read_record

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


CONFIG = """
[target]
path = "target"

[pretraining_sample]
path = "source"

[[models]]
name = "small network"
factory = "carryover.models.backbones:small_cnn"
weights = "small_cnn.safetensors"
arguments = { n_classes = 10, channels = 1 }

[[models]]
name = "small network, untrained"
factory = "carryover.models.backbones:small_cnn"
arguments = { n_classes = 10, channels = 1 }

[[models]]
name = "random convolution"
baseline = "random_convolution"

[[models]]
name = "PCA"
baseline = "pca"

[[models]]
name = "raw pixels"
baseline = "pixels"
"""


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> Path:
    """Digits, noisy digits, and a network trained with labels on the first; returns the config."""
    folder = tmp_path_factory.mktemp("digits")
    images, labels = write_digits(folder)
    network = small_cnn(10, channels=1).train()
    x, y = torch.from_numpy(images).float()[:, None] / 255, torch.from_numpy(labels).long()
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for step in range(150):
        rows = torch.arange(100) + 100 * (step % 9)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(x[rows]), y[rows]).backward()
        optimizer.step()
    save_file(network.state_dict(), folder / "small_cnn.safetensors")
    (folder / "config.toml").write_text(CONFIG)
    return folder / "config.toml"


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
def test_a_pretrained_encoder_wins_the_demo(diagnose_cli, tmp_path):
    config = prepare_digits(tmp_path / "digits", seed=0)
    code, out, error = diagnose_cli(str(config))
    assert code == 0, error
    record = read_record(out / "report.json")
    runs = {model["name"] for model in record["models"] if model["kind"] == "pretrained"}
    assert len(runs) == 4 and record["ranking"][0]["name"] in runs
    assert sum(row["probability_best"] for row in record["ranking"] if row["name"] in runs) > 0.8
    # The denoising runs are one family; the contrastive one stands alone.
    excess = {model["name"]: model["terms"]["pretraining"]["excess"]["status"] for model in record["models"]}
    assert excess["denoising"] == excess["denoising, L2"] == excess["denoising, RadReg"] == "ok"
    assert excess["contrastive"] == excess["PCA"] == "not_applicable"
    assert not [warning for warning in record["warnings"] if "pool" in warning]


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
