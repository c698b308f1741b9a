"""A run's folder: one writer, one config, nothing half-written, and nothing lost where the disk is full."""

import json

import pytest
import torch
from safetensors import SafetensorError
from tiny_runs import striped_images, write_images

from carryover._core.errors import DiskFullError, InputError, NotComputedError
from carryover._core.strict import build
from carryover.data.locking import sole_writer
from carryover.objectives.saved import load_encoder
from carryover.pretraining.run import PretrainOptions, pretrain
from carryover.pretraining.specs import PretrainSpec
from carryover.training.metrics import MetricsFile, read_metrics


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("images") / "train.parquet", striped_images(40, seed=0)[0])


def spec_of(images, **train) -> PretrainSpec:
    train = {"steps": 6, "batch_size": 16, "learning_rate": 1e-3, **train}
    return build(
        PretrainSpec,
        {"data": {"path": images}, "objective": {"kind": "denoising", "width": 4}, "train": train},
    )


def names(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_two_at_once_are_one_and_a_refusal(images, tmp_path):
    folder = tmp_path / "run"
    refused = []

    def second():
        with pytest.raises(InputError, match=r"another command is writing in .*run: wait until it ends"):
            pretrain(spec_of(images), folder)
        refused.append(True)
        return False

    assert pretrain(spec_of(images), folder, PretrainOptions(stop=second)).done and len(refused) == 6
    with sole_writer(folder) as free:
        assert free
    pretrain(spec_of(images), tmp_path / "alone")
    for name, tensor in load_encoder(folder).state_dict().items():
        assert torch.equal(tensor, load_encoder(tmp_path / "alone").state_dict()[name])


def test_a_run_that_failed_before_its_first_checkpoint_makes_room_for_another_config(images, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(InputError, match="batch_size"):
        pretrain(spec_of(images, batch_size=100), folder)
    with pytest.raises(NotComputedError, match="nothing was saved"):
        pretrain(spec_of(images, learning_rate=1e18), folder)
    assert pretrain(spec_of(images), folder, PretrainOptions(log_every=1)).done
    assert json.loads((folder / "run.json").read_text())["spec"]["train"]["learning_rate"] == 1e-3
    assert [row["step"] for row in read_metrics(folder / "metrics.jsonl")] == [1, 2, 3, 4, 5, 6]
    with pytest.raises(InputError, match=r"these keys differ: train.steps\. Name another"):
        pretrain(spec_of(images, steps=7), folder)


def test_a_checkpoint_is_enough_to_keep_the_folder(images, tmp_path):
    stopped = pretrain(spec_of(images), tmp_path / "run", PretrainOptions(stop=lambda: True))
    assert stopped.step == 1
    with pytest.raises(InputError, match=r"these keys differ: train\.steps"):
        pretrain(spec_of(images, steps=7), tmp_path / "run")


def test_whatever_else_lies_in_the_folder_keeps_it(images, tmp_path):
    with pytest.raises(InputError, match="batch_size"):
        pretrain(spec_of(images, batch_size=100), tmp_path / "run")
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"these keys differ: train\.batch_size"):
        pretrain(spec_of(images), tmp_path / "run")


def test_what_a_kill_left_half_written_is_cleared_away(images, tmp_path):
    folder = tmp_path / "run"
    pretrain(spec_of(images), folder, PretrainOptions(stop=lambda: True))
    expected = names(folder)
    for left in ("checkpoints/.step-00000002.0123abcd.partial", ".model.0123abcd.partial"):
        (folder / left).mkdir()
        (folder / left / "weights.safetensors").write_bytes(b"half")
    (folder / ".run.json.0123abcd.partial.json").write_text("{")
    pretrain(spec_of(images), folder, PretrainOptions(stop=lambda: True))
    assert names(folder) == {name.replace("00001", "00002") for name in expected} | expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "run.json cannot be read"),
        ('{"schema": "other"}', "is not the record of such a run"),
        ('{"schema": "carryover.run/1", "id": "x"}', "is damaged: it lacks the run's id, spec or hashes"),
        ('{"schema": "carryover.run/1", "id": 1, "spec": {}, "hashes": {}}', "is damaged"),
    ],
)
def test_a_record_that_cannot_be_used_is_refused(images, tmp_path, text, message):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text(text)
    with pytest.raises(InputError, match=message):
        pretrain(spec_of(images), tmp_path / "run")
    assert (tmp_path / "run" / "run.json").read_text() == text


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_folder_that_cannot_be_made_is_refused(images, tmp_path, place):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="cannot be made or is no folder"):
        pretrain(spec_of(images), tmp_path / place)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    "writer", ["training.checkpoint", "pretraining.saving", "pretraining.result", "metrics"]
)
def test_a_full_disk_is_said_and_the_run_goes_on_when_there_is_space(images, tmp_path, monkeypatch, writer):
    folder, options = tmp_path / "run", PretrainOptions(log_every=1, checkpoint_every=2)
    pretrain(spec_of(images), tmp_path / "whole", options)
    pretrain(spec_of(images), folder, PretrainOptions(log_every=1, checkpoint_every=2, stop=lambda: True))

    def full(*_):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    with monkeypatch.context() as patch:
        if writer == "metrics":
            patch.setattr("carryover.training.metrics._line", lambda _: full())
        else:
            patch.setattr(f"carryover.{writer}.save_file", full)
        with pytest.raises(DiskFullError, match=r"no space is left to write .*: free some and run again"):
            pretrain(spec_of(images), folder, options)
    assert not any("partial" in name for name in names(folder)) and (folder / "checkpoints").exists()
    assert read_metrics(folder / "metrics.jsonl")[0]["step"] == 1
    assert pretrain(spec_of(images), folder, options).done
    assert names(folder) == names(tmp_path / "whole")
    for name, tensor in load_encoder(folder).state_dict().items():
        assert torch.equal(tensor, load_encoder(tmp_path / "whole").state_dict()[name])


def test_a_metrics_file_is_cut_back_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n')

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("carryover.training.metrics._line", killed)
        with pytest.raises(KeyboardInterrupt):
            MetricsFile(path, resume_after=1)
    assert [row["step"] for row in read_metrics(path)] == [1, 2]
