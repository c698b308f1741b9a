"""The loop: gradients of parts, resume bit for bit from any step, what stops it, and what it writes."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import nn

from carryover._core.errors import InputError, NotComputedError
from carryover.objectives.denoising import DenoisingAutoencoder
from carryover.objectives.keyed import Key
from carryover.training.checkpoint import checkpoint_folders, load_checkpoint
from carryover.training.divergence import DivergedError
from carryover.training.loop import LoopOptions, LoopSpec, train
from carryover.training.metrics import MetricsFile, read_metrics
from carryover.training.order import BatchOrder
from carryover.training.schedules import WarmupCosine

SILENT = LoopOptions()
IMAGES = torch.randn(40, 1, 4, 4, generator=torch.Generator().manual_seed(5))
SPEC = LoopSpec(
    steps=13, batch_size=8, learning_rate=1e-2, warmup_steps=3, clip_norm=0.5, micro_batch=3, seed=1
)


def autoencoder(seed: int = 0) -> DenoisingAutoencoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = nn.Sequential(nn.Flatten(), nn.Linear(16, 6), nn.Tanh())
        return DenoisingAutoencoder(encoder, nn.Sequential(nn.Linear(6, 16), nn.Unflatten(1, (1, 4, 4))))


def loss_of(objective: DenoisingAutoencoder):
    def loss(positions, step):
        value = objective.loss(IMAGES[positions], Key(1, step, positions))
        return value, {"reconstruction": value}

    return loss


def run(objective, options=SILENT, spec=SPEC):
    return train(objective, loss_of(objective), n_examples=40, spec=spec, options=options)


def same(first: nn.Module, second: nn.Module) -> bool:
    return all(
        torch.equal(a, b)
        for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )


class Killed(Exception):
    pass


@pytest.mark.parametrize("killed_after", [1, 4, 5, 7, 12])
def test_a_run_killed_at_any_step_ends_as_one_that_was_not(tmp_path, killed_after):
    whole = autoencoder()
    run(whole, LoopOptions(folder=tmp_path / "whole", checkpoint_every=5, log_every=1))
    broken, calls = autoencoder(), []
    plain = loss_of(broken)

    def dies_inside_accumulation(positions, step):
        if step == killed_after and len(calls) == 1:
            raise Killed
        calls.append(step) if step == killed_after else None
        return plain(positions, step)

    options = LoopOptions(folder=tmp_path / "broken", checkpoint_every=5, log_every=1)
    with pytest.raises(Killed):
        train(broken, dies_inside_accumulation, n_examples=40, spec=SPEC, options=options)
    # Before the first checkpoint the run begins anew, from the same start; after it no start matters.
    resumed = autoencoder(seed=0 if killed_after < 5 else 3)
    result = run(resumed, options)
    assert result.done and result.step == 13 and same(whole, resumed)
    rows, expected = (read_metrics(tmp_path / name / "metrics.jsonl") for name in ("broken", "whole"))
    timing = {"images_per_second", "seconds_left"}
    assert [{k: v for k, v in row.items() if k not in timing} for row in rows] == [
        {k: v for k, v in row.items() if k not in timing} for row in expected
    ]


def test_a_run_that_is_asked_to_stop_is_checkpointed_and_goes_on(tmp_path):
    whole = autoencoder()
    run(whole)
    asked = iter([False] * 6 + [True] * 100)
    first = autoencoder()
    stopped = run(first, LoopOptions(folder=tmp_path, stop=lambda: next(asked)))
    assert not stopped.done and stopped.step == 7
    second = autoencoder(seed=8)
    assert run(second, LoopOptions(folder=tmp_path)).done and same(whole, second)
    # A finished run is left alone.
    third = autoencoder(seed=9)
    assert run(third, LoopOptions(folder=tmp_path)).step == 13 and same(whole, third)


def test_parts_of_a_batch_add_up_to_its_gradient():
    spec = LoopSpec(steps=1, batch_size=8, learning_rate=1e-2, weight_decay=0.0)
    whole, parts = autoencoder(), autoencoder()
    run(whole, spec=spec)
    run(parts, spec=LoopSpec(**{**spec.__dict__, "micro_batch": 3}))
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-5, atol=1e-8)


def test_clipping_limits_the_whole_gradient():
    clipped = autoencoder()
    run(clipped, spec=LoopSpec(steps=1, batch_size=8, learning_rate=1e-9, clip_norm=1e-3))
    norm = math.sqrt(sum(float(weight.grad.square().sum()) for weight in clipped.parameters()))
    assert norm == pytest.approx(1e-3, rel=1e-3)


def test_training_lowers_the_loss():
    seen = []
    spec = LoopSpec(steps=300, batch_size=20, learning_rate=1e-2)
    run(autoencoder(), LoopOptions(log_every=10, progress=seen.append), spec=spec)
    losses = np.array([row["loss"] for row in seen])
    assert losses[-5:].mean() < 0.9 * losses[:3].mean()
    assert seen[-1]["step"] == 300 and seen[-1]["images_per_second"] > 0 and seen[-1]["seconds_left"] == 0


def test_a_loss_that_is_not_finite_stops_with_its_place_and_keeps_the_checkpoint(tmp_path):
    objective = autoencoder()
    plain = loss_of(objective)

    def diverges(positions, step):
        value, parts = plain(positions, step)
        return (value * math.nan if step == 7 else value), parts

    options = LoopOptions(folder=tmp_path, checkpoint_every=5)
    with pytest.raises(
        NotComputedError, match=r"loss is nan at step 8, learning rate .* checkpoint of step 5 stays"
    ):
        train(objective, diverges, n_examples=40, spec=SPEC, options=options)
    assert [path.name for path in checkpoint_folders(tmp_path / "checkpoints")] == ["step-00000005"]


def test_what_else_counts_as_a_divergence_is_seen_before_the_weights_move(tmp_path):
    objective, seen = autoencoder(), []

    def wrong(row):
        seen.append(row["step"])
        return "this is too much" if row["step"] == 8 else None

    options = LoopOptions(folder=tmp_path, checkpoint_every=7)
    with pytest.raises(
        DivergedError, match=r"^this is too much at step 8, learning rate .* of step 7 stays"
    ) as raised:
        train(objective, loss_of(objective), n_examples=40, spec=SPEC, options=options, wrong=wrong)
    assert raised.value.step == 8 and seen == list(range(1, 9))
    assert raised.value.event.startswith("this is too much at step 8, learning rate ")
    stored = load_checkpoint(checkpoint_folders(tmp_path / "checkpoints")[-1])
    assert all(torch.equal(value, stored.weights[name]) for name, value in objective.state_dict().items())


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_finite_are_not_kept(tmp_path, value):
    objective = autoencoder()

    def poison(step):
        if step == 10:
            objective.encoder[1].bias.data[2] = value

    with pytest.raises(
        NotComputedError, match=r"weight became NaN or infinite at step 10, .*of step 5 stays"
    ):
        train(objective, loss_of(objective), n_examples=40, spec=SPEC, after_step=poison,
              options=LoopOptions(folder=tmp_path, checkpoint_every=5))  # fmt: skip
    assert [path.name for path in checkpoint_folders(tmp_path / "checkpoints")] == ["step-00000005"]


def test_another_run_is_not_taken_up(tmp_path):
    run(autoencoder(), LoopOptions(folder=tmp_path, run_id="a" * 64))
    with pytest.raises(InputError, match="belongs to another run"):
        run(autoencoder(), LoopOptions(folder=tmp_path, run_id="b" * 64))


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    run(autoencoder(), LoopOptions(folder=tmp_path))
    other = DenoisingAutoencoder(nn.Sequential(nn.Flatten(), nn.Linear(16, 3)), nn.Linear(3, 16))
    with pytest.raises(InputError, match="checkpoint of step 13 do not fit the network"):
        run(other, LoopOptions(folder=tmp_path))


def test_a_metrics_line_cut_short_is_left_out(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n{"st')
    assert [row["step"] for row in read_metrics(path)] == [1, 2]
    file = MetricsFile(path, resume_after=1)
    file.write({"step": 2, "loss": 0.5})
    file.close()
    assert read_metrics(path) == [{"step": 1}, {"step": 2, "loss": 0.5}]
    path.write_text('{"step": 1}\n{"st\n{"step": 3}\n')
    with pytest.raises(InputError, match="line 2 of"):
        read_metrics(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"micro_batch": 9}, r"micro_batch must lie in \[1, 8\]"),
        ({"clip_norm": -1.0}, "must be >= 0"),
        ({"weight_decay": -0.1}, "must be >= 0"),
        ({"weight_decay": math.nan}, "must be >= 0"),
    ],
)
def test_bad_input(change, message):
    with pytest.raises(InputError, match=message):
        LoopSpec(**{**SPEC.__dict__, **change})


def test_a_run_taken_up_with_other_threads_says_so_to_the_end(tmp_path):
    threads = torch.get_num_threads()
    asked = iter([False, True] + [False] * 3 + [True] + [False] * 100)
    options = LoopOptions(folder=tmp_path, stop=lambda: next(asked))
    network = autoencoder()
    run(network, options)
    try:
        torch.set_num_threads(threads + 1)
        run(network, options)
        found = run(network, options)
    finally:
        torch.set_num_threads(threads)
    assert found.done
    assert found.notes == (
        f"This run had {threads} threads until step 2 and {threads + 1} after it: its last digits may not be an "
        "undisturbed run's.",
    )


def test_gradient_descent_with_momentum_is_its_recursion_and_resumes(tmp_path):
    spec = dataclasses.replace(
        SPEC, optimizer="sgd", momentum=0.7, weight_decay=0.0, clip_norm=0.0, micro_batch=None, steps=6
    )
    network, by_hand = autoencoder(), autoencoder()
    run(network, spec=spec)
    order = BatchOrder(40, 8, spec.seed)
    rates = WarmupCosine(spec.learning_rate, 6, spec.warmup_steps)
    loss, velocity = loss_of(by_hand), [torch.zeros_like(weight) for weight in by_hand.parameters()]
    for step in range(6):
        by_hand.zero_grad()
        loss(torch.from_numpy(order.batch(step)), step)[0].backward()
        with torch.no_grad():
            for weight, speed in zip(by_hand.parameters(), velocity, strict=True):
                speed.mul_(0.7).add_(weight.grad)
                weight.sub_(rates(step) * speed)
    for one, other in zip(network.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(one, other)
    broken, asked = autoencoder(), iter([False, False, True])
    run(broken, LoopOptions(folder=tmp_path, stop=lambda: next(asked, False)), spec=spec)
    run(broken, LoopOptions(folder=tmp_path), spec=spec)
    assert same(broken, network)
    with pytest.raises(InputError, match="optimizer must be 'adamw' or 'sgd'"):
        dataclasses.replace(SPEC, optimizer="lbfgs")
