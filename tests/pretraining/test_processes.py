"""Two processes that share every batch train what one process would: by DDP, by FSDP, and in a run's folder."""

import json
import os

import numpy as np
import pytest
import torch
from filelock import FileLock
from safetensors.torch import load_file
from shared_runs import RUNS, STEPS, in_two_processes, short_run, stored_spec
from tiny_runs import striped_images, write_images

from carryover.pretraining.run import PretrainOptions, pretrain
from carryover.training.metrics import read_metrics


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """The folder in which two processes made their runs: once, whichever worker comes first."""
    root = tmp_path_factory.getbasetemp()
    folder = (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / "two-processes"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            folder.mkdir()
            write_images(folder / "images.parquet", striped_images(48, seed=0)[0])
            in_two_processes(folder)
    return folder


def facts(pair, rank: int = 0) -> dict:
    return json.loads((pair / f"facts-{rank}.json").read_text())


@pytest.mark.parametrize("name", RUNS)
def test_two_processes_train_what_one_does(pair, name):
    rows, found, _ = short_run(name)
    alone, together = [row["loss"] for row in rows], facts(pair)[name]["losses"]
    assert len(together) == STEPS.get(name, 8)
    # A loss is compared relative to its size: that of curl with random features is about 10.
    # Heads with a ReLU turn where a last digit does, and the next step starts from there.
    np.testing.assert_allclose(together[:2], alone[:2], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(together, alone, rtol=1e-4 if "hidden" in name else 1e-5, atol=1e-6)
    if name in ("mae", "denoising"):
        assert abs(together[-1] - alone[-1]) < 1e-5
    weights = load_file(pair / f"{name}.safetensors")
    assert weights.keys() == found.weights.keys()
    if RUNS[name][0]["kind"] in ("mae", "denoising") and "hidden" not in name:
        # Elsewhere a bias before a batch norm has gradient 0 but for rounding, which AdamW scales up.
        for key, tensor in found.weights.items():
            torch.testing.assert_close(weights[key], tensor, rtol=1e-4, atol=1e-5, msg=key)


def test_only_the_first_process_tells_and_hands_on(pair):
    other = facts(pair, rank=1)
    assert all(other[name] == {"losses": [], "weights": 0} for name in RUNS)
    assert facts(pair)["mae"]["weights"] > 0 and other["run"]["record"] is None


@pytest.mark.parametrize("rank", [0, 1])
def test_every_process_says_what_is_wrong(pair, rank):
    said = facts(pair, rank)["refusals"]
    assert "batch_size must be a multiple of the number of processes, 2" in said["odd batch"]
    assert "downstream_batch must be a multiple" in said["odd pool"]
    assert "is not empty and holds no run" in said["taken"]
    assert "at step 2, learning rate 6.67e+29: training stopped" in said["nan"]


def test_a_shared_run_is_stopped_by_any_process_and_ends_as_one_alone(pair, tmp_path):
    made = facts(pair)["run"]
    assert made["stopped"] == [False, 5] == facts(pair, rank=1)["run"]["stopped"] and made["done"]
    names = {path.name for path in (pair / "run").iterdir()}
    alone = pretrain(stored_spec(pair), tmp_path / "alone", PretrainOptions(log_every=1))
    assert names == {path.name for path in (tmp_path / "alone").iterdir()}
    rows = [read_metrics(folder / "metrics.jsonl") for folder in (pair / "run", tmp_path / "alone")]
    assert [row["step"] for row in rows[0]] == list(range(1, 13))
    np.testing.assert_allclose(*([row["loss"] for row in run] for run in rows), rtol=1e-5)
    for part in ("train", "held_out"):
        found, expected = (
            record["pretraining_loss"][part]["value"] for record in (made["record"], alone.record)
        )
        assert found == pytest.approx(expected, rel=1e-5)
    # One process goes on where two stopped: here there is nothing left to do.
    assert pretrain(stored_spec(pair), pair / "run").step == 12


def test_fsdp_trains_the_same_and_gathers_whole_checkpoints(pair):
    made, ddp = facts(pair)["fsdp"], facts(pair)["radreg"]
    assert made["cut"] == made["of"] > 0
    np.testing.assert_allclose(made["losses"], ddp["losses"], rtol=1e-5)
    for key, tensor in load_file(pair / "radreg.safetensors").items():
        torch.testing.assert_close(load_file(pair / "fsdp.safetensors")[key], tensor, rtol=1e-4, atol=1e-5)
    stored = load_file(pair / "fsdp" / "checkpoints" / "step-00000008" / "optimizer.safetensors")
    _, _, network = short_run("radreg", steps=1, warmup_steps=0)
    for name, weight in network.named_parameters():
        if weight.requires_grad:
            assert stored[f"exp_avg:{name}"].shape == weight.shape
