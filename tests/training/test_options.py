"""What the loop can do besides: a moving average, bfloat16, trackers; and what a launcher's settings do not change."""

import types

import pytest
import torch
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker
from accelerate.utils import DistributedType
from torch import nn

from carryover._core.errors import InputError
from carryover.objectives.contrastive import TwoViews, projection_head
from carryover.objectives.denoising import DenoisingAutoencoder
from carryover.objectives.keyed import Key
from carryover.objectives.simclr import nt_xent
from carryover.training import step as steps
from carryover.training import trackers
from carryover.training.averaging import MovingAverage
from carryover.training.checkpoint import checkpoint_folders, load_checkpoint
from carryover.training.loop import LoopOptions, LoopSpec, train
from carryover.training.precision import computing_in
from carryover.training.processes import ALONE, launched

IMAGES = torch.randn(40, 1, 4, 4, generator=torch.Generator().manual_seed(5))
SPEC = {"steps": 12, "batch_size": 8, "learning_rate": 1e-2, "micro_batch": 5, "clip_norm": 0.5}


def autoencoder() -> DenoisingAutoencoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = nn.Sequential(nn.Flatten(), nn.Linear(16, 6), nn.BatchNorm1d(6), nn.Tanh())
        return DenoisingAutoencoder(encoder, nn.Sequential(nn.Linear(6, 16), nn.Unflatten(1, (1, 4, 4))))


def run(objective, options=None, **changes):
    def loss(positions, step):
        value = objective.loss(IMAGES[positions], Key(1, step, positions))
        return value, {"reconstruction": value}

    spec = LoopSpec(**{**SPEC, **changes})
    return train(objective, loss, n_examples=40, spec=spec, options=options or LoopOptions())


def same(first, second) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def stopping_after(n: int):
    asked = iter([False] * (n - 1) + [True] * 100)
    return lambda: next(asked)


def test_the_average_is_the_recursion_over_the_weights_of_every_step(tmp_path):
    seen = []
    options = LoopOptions(folder=tmp_path, checkpoint_every=1, log_every=1)
    network = autoencoder()
    first = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    def keep(_):
        seen.append({name: tensor.clone() for name, tensor in network.state_dict().items()})

    found = run(network, LoopOptions(**{**options.__dict__, "progress": keep}), ema_decay=0.5)
    expected = dict(first)
    for number, weights in enumerate(seen, start=1):
        decay = min(0.5, (1 + number) / (10 + number))
        for name, tensor in weights.items():
            mixed = decay * expected[name] + (1.0 - decay) * tensor
            expected[name] = mixed if tensor.is_floating_point() else tensor
    for name, tensor in expected.items():
        torch.testing.assert_close(found.weights[name], tensor, msg=name)
    assert not same(found.weights, network.state_dict())
    stored = load_checkpoint(checkpoint_folders(tmp_path / "checkpoints")[-1])
    assert same(stored.average, found.weights) and same(stored.weights, network.state_dict())


@pytest.mark.parametrize("changes", [{"ema_decay": 0.9}, {"precision": "bf16"}])
def test_a_stopped_run_ends_as_one_that_was_not(tmp_path, changes):
    whole = run(autoencoder(), **changes)
    stopped = run(autoencoder(), LoopOptions(folder=tmp_path, stop=stopping_after(5)), **changes)
    assert stopped.step == 5 and not stopped.weights
    network = autoencoder()
    again = run(network, LoopOptions(folder=tmp_path), **changes)
    assert again.done and same(whole.weights, again.weights)
    # A finished run gives its weights once more.
    assert same(run(autoencoder(), LoopOptions(folder=tmp_path), **changes).weights, whole.weights)


def test_without_an_average_the_result_is_the_last_weights(tmp_path):
    network = autoencoder()
    found = run(network, LoopOptions(folder=tmp_path))
    assert same(found.weights, network.state_dict())
    files = {path.name for path in checkpoint_folders(tmp_path / "checkpoints")[-1].iterdir()}
    assert files == {"weights.safetensors", "optimizer.safetensors", "state.json"}


def test_a_lost_or_foreign_average_is_refused(tmp_path):
    run(autoencoder(), LoopOptions(folder=tmp_path), ema_decay=0.9)
    last = checkpoint_folders(tmp_path / "checkpoints")[-1]
    with pytest.raises(InputError, match=r"does not fit the network: other"):
        MovingAverage(autoencoder(), 0.9).restore({**load_checkpoint(last).average, "other": torch.zeros(1)})
    (last / "average.safetensors").unlink()
    with pytest.raises(InputError, match=r"average.safetensors is missing"):
        load_checkpoint(last)


def test_bfloat16_is_close_keeps_float32_weights_and_compares_in_float32():
    full, half = run(autoencoder()), run(autoencoder(), precision="bf16")
    assert full.last["loss"] != half.last["loss"]
    assert half.last["loss"] == pytest.approx(full.last["loss"], rel=0.02)
    assert all(t.dtype == torch.float32 for t in half.weights.values() if t.is_floating_point())
    projected = []
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(16, 6))
    objective = TwoViews(encoder, projection_head(6, out=4))
    objective.projector.register_forward_hook(lambda *given: projected.append(given[2]))
    images = torch.rand(8, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    with computing_in("bf16", torch.device("cpu")):
        loss = objective.loss(images, Key(0, 0, torch.arange(8)))
    assert projected[0].dtype == torch.bfloat16 and loss.dtype == torch.float32
    wide = [view.float() for view in projected[0].chunk(2)]
    assert torch.equal(loss, nt_xent(*wide))


class Remembering(GeneralTracker):
    name, requires_logging_directory = "remembering", False
    made = ()

    def __init__(self, project):
        super().__init__()
        self.project, self.rows, self.config, self.finished = project, {}, None, False
        Remembering.made = (*Remembering.made, self)

    @property
    def tracker(self):
        return self

    def store_init_configuration(self, values):
        self.config = values

    def log(self, values, step=None, **_):
        self.rows[step] = values

    def finish(self):
        self.finished = True


def test_a_tracker_gets_the_settings_and_every_row(monkeypatch):
    monkeypatch.setitem(LOGGER_TYPE_TO_CLASS, "remembering", Remembering)
    rows = []
    run(autoencoder(), LoopOptions(tracker="remembering", log_every=4, progress=rows.append))
    (tracker,) = Remembering.made
    assert tracker.project == "carryover" and tracker.finished
    assert tracker.config["learning_rate"] == 1e-2 and tracker.config["steps"] == 12
    assert list(tracker.rows) == [4, 8, 12]
    assert [{"step": step, **values} for step, values in tracker.rows.items()] == rows


def test_a_tracker_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(trackers, "get_available_trackers", lambda: [])
    with pytest.raises(
        InputError, match="needs the package wandb, which is not installed: pip install wandb"
    ):
        run(autoencoder(), LoopOptions(tracker="wandb"))
    with pytest.raises(InputError, match=r"no tracker is called 'wandbb'.*did you mean 'wandb'"):
        run(autoencoder(), LoopOptions(tracker="wandbb"))


def test_settings_of_a_launcher_do_not_change_the_result(monkeypatch):
    plain = run(autoencoder())
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4")
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    assert same(run(autoencoder()).weights, plain.weights)


@pytest.mark.parametrize("kind", [DistributedType.DEEPSPEED, DistributedType.FSDP])
def test_other_ways_to_share_a_network_are_refused(monkeypatch, kind):
    made = types.SimpleNamespace(distributed_type=kind, is_fsdp2=False)
    monkeypatch.setattr(steps, "Accelerator", lambda **_: made)
    with pytest.raises(InputError, match=f"by DDP or by FSDP 2 .*not by {kind.value}"):
        run(autoencoder())


def test_one_process_shares_nothing():
    assert launched() == ALONE and ALONE.first
    numbers = torch.arange(3.0)
    assert all(one is numbers for one in (ALONE.share(numbers), ALONE.rows(numbers), ALONE.mean(numbers)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ema_decay": 1.0}, r"ema_decay must lie in \[0, 1\)"),
        ({"precision": "fp16"}, "precision must be one of"),
    ],
)
def test_bad_input(changes, message):
    with pytest.raises(InputError, match=message):
        LoopSpec(**{**SPEC, **changes})
