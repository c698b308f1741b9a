"""Order, schedule, optimizer state and checkpoints: functions of their arguments, restored bit for bit."""

import json
import math

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from torch import nn

from carryover._core.errors import DiskFullError, InputError
from carryover._core.seeding import derive_generator
from carryover.training import checkpoint as checkpoints
from carryover.training.checkpoint import Checkpoint, checkpoint_folders, load_checkpoint, save_checkpoint
from carryover.training.optimizers import adamw, optimizer_tensors, restore_optimizer
from carryover.training.order import BatchOrder
from carryover.training.schedules import WarmupCosine


def test_every_epoch_sees_every_example_once_in_another_order():
    order = BatchOrder(n_examples=12, batch_size=4, seed=3)
    epochs = [np.concatenate([order.batch(3 * epoch + step) for step in range(3)]) for epoch in range(4)]
    for seen in epochs:
        assert sorted(seen) == list(range(12))
    assert len({tuple(seen) for seen in epochs}) == 4
    again = BatchOrder(n_examples=12, batch_size=4, seed=3)
    np.testing.assert_array_equal(again.batch(10), order.batch(10))  # no need to have drawn the earlier ones
    assert tuple(BatchOrder(12, 4, seed=4).batch(0)) != tuple(order.batch(0))


def test_a_permutation_is_drawn_once_an_epoch_and_is_nobody_elses_to_change(monkeypatch):
    drawn = []

    def counting(*names):
        drawn.append(names)
        return derive_generator(*names)

    monkeypatch.setattr("carryover.training.order.derive_generator", counting)
    orders = [BatchOrder(40, 4, seed=91, name=name) for name in ("order", "downstream order")]
    for step in range(20):
        for order in orders:
            expected = derive_generator(91, order.name, step // 10).permutation(40)[step % 10 * 4 :][:4]
            found = order.batch(step)
            np.testing.assert_array_equal(found, expected)
            found[:] = -1  # the caller's own: the next reader sees the order as it was
            np.testing.assert_array_equal(order.batch(step), expected)
    assert len(drawn) == 4 and len(set(drawn)) == 4


def test_places_are_taken_alike():
    first = [BatchOrder(10, 2, seed).batch(0)[0] for seed in range(2000)]
    counts = np.bincount(first, minlength=10)
    assert np.abs(counts - 200).max() < 5 * math.sqrt(180)


def test_schedule_rises_then_falls_as_half_a_cosine():
    rates = WarmupCosine(peak=0.3, steps=100, warmup=10, final=0.03)
    values = np.array([rates(step) for step in range(100)])
    np.testing.assert_allclose(values[:10], 0.03 * np.arange(1, 11))
    np.testing.assert_allclose(
        values[10:], 0.03 + 0.27 * (1 + np.cos(np.pi * np.arange(1, 91) / 90)) / 2, atol=1e-15
    )
    assert values[-1] == pytest.approx(0.03) and rates(1000) == pytest.approx(0.03)


def network(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 2))


def steps(model: nn.Module, optimizer: torch.optim.Optimizer, first: int, last: int) -> None:
    for step in range(first, last):
        generator = torch.Generator().manual_seed(step)
        loss = (model(torch.randn(8, 4, generator=generator)) - 1.0).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def test_a_restored_run_goes_on_bit_for_bit(tmp_path):
    whole = network()
    straight = adamw(whole, learning_rate=1e-2, weight_decay=0.1)
    steps(whole, straight, 0, 7)

    broken = network()
    first = adamw(broken, learning_rate=1e-2, weight_decay=0.1)
    steps(broken, first, 0, 4)
    save_checkpoint(tmp_path, Checkpoint(4, "run", broken.state_dict(), optimizer_tensors(first, broken), {}))

    resumed = network(seed=9)
    second = adamw(resumed, learning_rate=1e-2, weight_decay=0.1)
    found = load_checkpoint(checkpoint_folders(tmp_path)[-1])
    resumed.load_state_dict(found.weights)
    restore_optimizer(second, resumed, found.optimizer)
    steps(resumed, second, found.step, 7)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
    # The optimizer's state matters: without it the end is another.
    fresh = network(seed=9)
    fresh.load_state_dict(found.weights)
    steps(fresh, adamw(fresh, learning_rate=1e-2, weight_decay=0.1), 4, 7)
    assert not torch.equal(fresh[0].weight, whole[0].weight)


def test_biases_and_norms_are_not_decayed():
    model = network()
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    optimizer = adamw(model, learning_rate=0.1, weight_decay=0.5)
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    for name, weight in model.named_parameters():
        factor = 1.0 - 0.1 * 0.5 if weight.ndim >= 2 else 1.0
        torch.testing.assert_close(weight.detach(), factor * before[name])


def a_checkpoint(step: int) -> Checkpoint:
    return Checkpoint(step, "run", {"a": torch.full((3,), float(step))}, {}, {"threads": 1})


def test_the_last_two_are_kept_and_nothing_else(tmp_path):
    for step in (5, 10, 15, 20):
        save_checkpoint(tmp_path, a_checkpoint(step))
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["step-00000015", "step-00000020"]
    found = load_checkpoint(tmp_path / "step-00000020")
    assert (found.step, found.run_id, found.extra) == (20, "run", {"threads": 1})
    assert torch.equal(found.weights["a"], torch.full((3,), 20.0))
    files = {path.name for path in (tmp_path / "step-00000020").iterdir()}
    assert files == {"weights.safetensors", "optimizer.safetensors", "state.json"}


def test_a_write_that_breaks_leaves_what_was_there(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, a_checkpoint(5))

    def full(_, path):
        path.write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(checkpoints, "save_file", full)
    with pytest.raises(DiskFullError, match="no space is left to write"):
        save_checkpoint(tmp_path, a_checkpoint(10))
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000005"]
    assert load_checkpoint(tmp_path / "step-00000005").step == 5


def damaged(path, how):
    if how == "bytes":
        data = bytearray((path / "weights.safetensors").read_bytes())
        data[-1] ^= 1
        (path / "weights.safetensors").write_bytes(bytes(data))
    elif how == "missing":
        (path / "optimizer.safetensors").unlink()
    elif how == "foreign":
        (path / "state.json").write_text(json.dumps({"step": 5}))
    elif how == "list":
        (path / "state.json").write_text("[]")
    elif how == "no step":
        (path / "state.json").write_text(json.dumps({"schema": checkpoints.SCHEMA, "run_id": 3, "extra": {}}))
    elif how == "other hashes":
        state = json.loads((path / "state.json").read_text())
        (path / "state.json").write_text(json.dumps({**state, "hashes": {}}))
    elif how == "cut":
        data = (path / "optimizer.safetensors").read_bytes()
        (path / "optimizer.safetensors").write_bytes(data[: len(data) // 2])
    else:
        (path / "state.json").unlink()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("bytes", "weights.safetensors is corrupt"),
        ("missing", "optimizer.safetensors is missing"),
        ("foreign", "is not a checkpoint of this version"),
        ("list", "schema 'list'"),
        ("no step", "state.json is damaged: it states no step, run_id, hashes"),
        ("other hashes", "weights.safetensors is corrupt"),
        ("cut", "optimizer.safetensors is corrupt"),
        ("no state", "cannot be read"),
    ],
)
def test_what_is_not_whole_is_refused(tmp_path, how, message):
    path = save_checkpoint(tmp_path, a_checkpoint(5))
    damaged(path, how)
    with pytest.raises(InputError, match=rf"{message}.* Remove .*step-00000005 to go on from the checkpoint"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: BatchOrder(3, 4, 0), r"batch_size must lie in \[1, 3\]"),
        (lambda: WarmupCosine(0.0, 10), "peak > 0"),
        (lambda: WarmupCosine(1.0, 10, warmup=11), r"warmup in \[0, steps\]"),
        (lambda: adamw(nn.Flatten(), learning_rate=1.0, weight_decay=0.0), "nothing to train"),
        (
            lambda: restore_optimizer(
                adamw(network(), learning_rate=1.0, weight_decay=0.0), network(), {"exp_avg:z": torch.ones(1)}
            ),
            "names 'z'",
        ),
        (
            lambda: restore_optimizer(
                adamw(network(), learning_rate=1.0, weight_decay=0.0),
                network(),
                {"exp_avg:0.bias": torch.ones(2)},
            ),
            r"shape \(2,\), the parameter \(6,\)",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
