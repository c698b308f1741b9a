"""Scaled residual networks: what a scale does to each, which images a task has, a fine-tuning by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from datasets import ClassLabel, Dataset, Features, Image
from PIL import Image as Pillow
from torch.nn import functional

from carryover._core.errors import InputError
from carryover._core.seeding import derive_seed
from carryover.adaptation.phases import Examples
from carryover.experiments.entries.a26.resnet import table
from carryover.experiments.entries.a26.resnet_cells import run_scaled
from carryover.experiments.entries.a26.resnet_networks import new_network, settle_norms
from carryover.experiments.entries.a26.resnet_spec import (
    Condition,
    Descent,
    NetworkSpec,
    ScaledResNetCell,
    conditions,
)
from carryover.experiments.entries.a26.resnet_tasks import NORMALISE, Drawn, Labelled, draw_classes
from carryover.experiments.rows import failed_row
from carryover.models.initial_scales import InitialScales, cancelled_scales, scale_weights
from carryover.training.schedules import WarmupCosine

PLAIN, NORMALIZED = NetworkSpec(1, 8, normalized=False), NetworkSpec(1, 8)
IMAGES = torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def scaled(spec: NetworkSpec, scales: InitialScales):
    network = new_network(spec, n_outputs=2, seed=3).train()
    return network, scale_weights(network, network.encoder, scales)


def features(spec: NetworkSpec, **scales) -> torch.Tensor:
    with torch.no_grad():
        return scaled(spec, InitialScales(**scales))[0].features(IMAGES)


def by_hand(weights: dict[str, torch.Tensor], images: torch.Tensor) -> torch.Tensor:
    """The network without norms as convolutions, sums and rectifications."""

    def conv(name: str, x: torch.Tensor, stride: int = 1) -> torch.Tensor:
        return functional.conv2d(
            x, weights[f"{name}.weight"], weights[f"{name}.bias"], stride=stride, padding=1
        )

    x = conv("network.conv1", images).relu()
    for stage, stride in ((1, 1), (2, 2), (3, 2)):
        block = f"network.layer{stage}.0"
        branch = conv(f"{block}.conv2", conv(f"{block}.conv1", x, stride).relu())
        if stride == 2:
            extra = branch.shape[1] - x.shape[1]
            x = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, extra // 2, extra - extra // 2))
        x = (branch + x).relu()
    return x.mean(dim=(2, 3))


def test_without_norms_it_is_convolutions_with_biases():
    network, _ = scaled(PLAIN, InitialScales())
    with torch.no_grad():
        for weight in network.encoder.parameters():
            weight.add_(0.01)  # biases that are not zero
        expected = by_hand(network.encoder.state_dict(), IMAGES)
        torch.testing.assert_close(network.features(IMAGES), expected)


def test_every_scale_counts_without_norms_and_no_convolution_behind_one():
    early = {"early": 0.5, "early_parameters": PLAIN.early_parameters}
    for given in ({"all_weights": 0.5}, early):
        network, changed = scaled(PLAIN, InitialScales(**given))
        assert (
            cancelled_scales(network, network.encoder, IMAGES, features=network.features, changed=changed)
            == []
        )
    network, changed = scaled(NORMALIZED, InitialScales(all_weights=0.5))
    found = cancelled_scales(network, network.encoder, IMAGES, features=network.features, changed=changed)
    assert len(found) == 7 == sum(".conv" in name for name in changed)


def test_scaling_the_early_third_alone_scales_what_enters_the_rest():
    """One factor for the first convolution, three for the first stage: the branch of its block has
    kappa^3."""
    kappa, state = 0.25, new_network(PLAIN, n_outputs=2, seed=3).encoder.state_dict()
    for name, value in state.items():
        if name.startswith(("network.conv1.", "network.layer1.")):
            value.mul_(kappa)
    torch.testing.assert_close(
        features(PLAIN, early=kappa, early_parameters=PLAIN.early_parameters), by_hand(state, IMAGES)
    )


def test_with_batch_norms_a_factor_of_all_weights_is_one_of_the_features():
    """Up to the small number that is added to variances: the affine parts scale what is added up in the
    blocks."""
    whole, half = features(NORMALIZED), features(NORMALIZED, all_weights=0.5)
    torch.testing.assert_close(half, 0.5 * whole, rtol=2e-3, atol=1e-4)
    assert not torch.allclose(features(PLAIN, all_weights=0.5), 0.5 * features(PLAIN), rtol=0.1)


def test_random_norms_settle_on_the_statistics_of_the_images():
    network = new_network(NORMALIZED, n_outputs=2, seed=3)
    settle_norms(network, Examples(IMAGES, torch.zeros(16, dtype=torch.int64)), batch_size=16)
    with torch.no_grad():
        first = network.encoder.network.conv1(IMAGES)
    torch.testing.assert_close(network.encoder.network.bn1.running_mean, first.mean(dim=(0, 2, 3)))


def counted(per_class: int) -> Labelled:
    """Images that hold their own number."""
    labels = np.arange(10 * per_class) % 10
    numbers = np.arange(len(labels))
    return Labelled(numbers.astype(np.uint8)[:, None, None, None].repeat(3, axis=3), labels)


def numbers_of(examples: Examples) -> set[int]:
    red = examples.images[:, 0, 0, 0].numpy() * NORMALISE.std[0] + NORMALISE.mean[0]
    return set(np.round(red * 255).astype(int).tolist())


def test_tasks_have_images_and_classes_that_pretraining_did_not_see():
    train, test = counted(20), counted(5)
    for seed in range(5):
        classes = draw_classes(train.labels, n_pairs=2, seed=seed)
        drawn = Drawn(train, test, classes, reserved=6, seed=seed)
        seen = numbers_of(drawn.pretraining().train)
        held_out = {code for pair in classes.pairs["new"] for code in pair}
        assert len(seen) == 6 * 14 and {number % 10 for number in seen} == set(classes.source)
        assert len(held_out) == 4 and held_out.isdisjoint(classes.source)
        assert numbers_of(drawn.probe().train) == {n for n in range(200) if n % 10 in held_out}
        for kind in ("subset", "new"):
            for pair, codes in enumerate(classes.pairs[kind]):
                small, large = (drawn.task(kind, pair, n) for n in (4, 12))
                assert numbers_of(small.train) < numbers_of(large.train)
                assert numbers_of(large.train).isdisjoint(seen)
                assert torch.bincount(small.train.targets).tolist() == [2, 2]
                assert numbers_of(small.test) == {n for n in range(50) if n % 10 in codes}
                assert (set(codes) <= set(classes.source)) == (kind == "subset")
    with pytest.raises(InputError, match=r"samples must lie in \[2, 12\] for a subset task, got 13"):
        drawn.task("subset", 0, 13)
    with pytest.raises(InputError, match=r"10 classes must be more than 4 pairs \+ 1, got 3"):
        draw_classes(train.labels, n_pairs=3, seed=0)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> str:
    """Two splits of coloured noise, 8 x 8, six classes."""
    folder, generator = tmp_path_factory.mktemp("noise"), np.random.default_rng(0)
    kinds = Features({"img": Image(), "fine_label": ClassLabel(num_classes=6)})
    for split, n in (("train", 60), ("test", 24)):
        labels = np.arange(n) % 6
        pixels = generator.integers(0, 128, (n, 8, 8, 3)) + 20 * labels[:, None, None, None]
        rows = {"img": [Pillow.fromarray(one.astype(np.uint8)) for one in pixels], "fine_label": labels}
        Dataset.from_dict(rows, features=kinds).to_parquet(folder / f"{split}-00000-of-00001.parquet")
    return str(folder)


def tiny(data: str, **given) -> ScaledResNetCell:
    settings = {"pretraining": Descent(0.05, 8), "pretraining_steps": 3, "finetuning": Descent(0.1, 16)}
    return ScaledResNetCell(
        data, NORMALIZED, **{**settings, "samples": ((6, 4),), "pairs": 1, "kinds": ("new",), **given}
    )


def test_a_fine_tuning_is_gradient_descent_with_momentum(data):
    """From random weights, all images in every batch; the rate warms up for none of four steps."""
    cell = tiny(data, from_scratch=True, rescalings=(1.0, 2.0), seed=5)
    row = run_scaled(cell)
    splits = [Labelled(*_read(data, split)) for split in ("train", "test")]
    drawn = Drawn(*splits, draw_classes(splits[0].labels, n_pairs=1, seed=5), 0, 5)
    task = drawn.task("new", 0, 6)
    network = new_network(NORMALIZED, n_outputs=2, seed=5, head_seed=derive_seed(5, "head", "new", 0))
    network.train()
    velocity = {name: torch.zeros_like(weight) for name, weight in network.named_parameters()}
    rates = WarmupCosine(0.1, 4, 0, 0.0)
    for step in range(4):
        network.zero_grad()
        functional.cross_entropy(network(task.train.images), task.train.targets).backward()
        with torch.no_grad():
            for name, weight in network.named_parameters():
                velocity[name] = 0.9 * velocity[name] + weight.grad
                weight -= rates(step) * velocity[name]
    network.eval()
    with torch.no_grad():
        loss = functional.cross_entropy(network(task.train.images), task.train.targets)
        accuracy = (network(task.test.images).argmax(dim=1) == task.test.targets).double().mean()
    key = Condition("new", 6, start="random").key
    assert row[f"train_loss|{key}"] == pytest.approx(float(loss), rel=1e-4)
    assert row[f"accuracy|{key}"] == pytest.approx(float(accuracy))
    assert row["cancelled_before"] is None and row["cancelled_after"] is None
    assert run_scaled(cell) == row


def _read(data: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    rows = Dataset.from_parquet(f"{data}/{split}-00000-of-00001.parquet")
    return np.stack([np.asarray(image) for image in rows["img"]]), np.asarray(rows["fine_label"])


def test_a_cell_has_every_condition_and_one_that_diverges_keeps_its_reason(data):
    cell = tiny(
        data, rescalings=(1.0, 0.5), readouts=(1.0, 1e9), absolute=0.5, kinds=("subset", "new"), reserved=3
    )
    row = run_scaled(cell)
    keys = [condition.key for condition, _ in conditions(cell)]
    assert keys == [
        f"{kind}|6|{end}|pretrained" for kind in ("subset", "new") for end in ("1|1", "0.5|1", "1|1e+09")
    ]
    assert all(0.0 <= row[f"accuracy|{key}"] <= 1.0 for key in keys[:2])
    assert row[f"accuracy|{keys[2]}"] is None and "diverged" in row[f"reason|{keys[2]}"]
    assert 0.0 <= row["probe_random"] <= 1.0 and row["cancelled_before"] == 7
    labels = {"arm": "before", "absolute": 0.5, "relative": 1.0, "seed": 0}
    bad = {**labels, "seed": 1, **failed_row("no memory")}
    made = table([{**labels, "status": "ok", "reason": None, **row}, bad])
    assert made["status"].tolist() == ["ok", "ok", "failed", "ok", "ok", "failed", "failed"]
    assert made["reason"].iloc[-1] == "no memory" and "diverged" in made["reason"].iloc[2]


def test_early_weights_alone_are_scaled_and_without_norms_nothing_cancels_it(data):
    row = run_scaled(replace(tiny(data, relative=0.25, samples=((2, 1),)), network=PLAIN))
    assert row["cancelled_before"] == 0 and row["cancelled_after"] is None and row["note"] is None


def test_misuse_is_named():
    with pytest.raises(InputError, match="blocks_per_stage must be >= 1, got 0"):
        NetworkSpec(0)
    with pytest.raises(InputError, match="rescalings and readouts must hold 1"):
        tiny("", rescalings=(0.5,))
    with pytest.raises(InputError, match="samples and kinds must not be empty"):
        replace(tiny(""), kinds=())
