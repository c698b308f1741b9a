"""What the recipes carry over: paired differences against untrained networks, over seeds, with 95 % intervals.

    python benchmarks/validate_pretraining.py [simclr] [mae_usps] [mae_cifar10] [--seeds 3] [--folder DIR]

Data in CARRYOVER_DATA or in `shared` beside the repository.  Runs in --folder are taken up where they stopped.
"""

import argparse
import copy
import json
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from fine_tuning import FineTuningPlan, accuracy, fine_tune
from scipy.stats import t as student
from torch import Tensor

from carryover._core.seeding import derive_generator
from carryover._core.strict import build
from carryover.data.sources import open_dataset
from carryover.measures.ridge_estimators import RidgeProbeClassifier
from carryover.objectives.building import build_objective
from carryover.objectives.saved import PretrainedEncoder, encode_in_batches, load_encoder
from carryover.objectives.specs import ObjectiveSpec
from carryover.objectives.views import Views
from carryover.pretraining.config import read_recipe
from carryover.pretraining.run import PretrainOptions, pretrain
from carryover.training.metrics import read_metrics

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("CARRYOVER_DATA") or ROOT.parent / "shared") / "data"
FINE_TUNING_SEEDS = 5
CIFAR = FineTuningPlan(epochs=20, views=Views(least_area=0.5, jitter=0.0, grey=0.0))
USPS = FineTuningPlan(epochs=80, views=Views(least_area=0.6, flip=0.0, jitter=0.0, grey=0.0))


def labelled(name: str, split: str, *, image: str, label: str, size: int | None = None):
    """All images of a split as uint8 (n, c, h, w) and their labels."""
    source = open_dataset(str(DATA / name), split=split)
    column = source.images(image, size=size)
    pixels = torch.from_numpy(column.read(0, len(column))).permute(0, 3, 1, 2).contiguous()
    return pixels, torch.as_tensor(np.asarray(source.values(label), dtype=np.int64))


def pretrained(recipe: str, data: str, folder: Path, seed: int) -> PretrainedEncoder:
    """The encoder of a recipe's run on local data."""
    spec = read_recipe(ROOT / "configs" / recipe, overrides={"data.path": str(DATA / data), "seed": seed})
    out = folder / f"{Path(recipe).stem}-{seed}"
    options = PretrainOptions(
        checkpoint_every=200,
        log_every=50,
        progress=lambda row: print(
            f"    {out.name} step {row['step']} loss {row['loss']:.4f} {row['images_per_second']:.0f} images/s",
            flush=True,
        ),
    )
    started = time.process_time(), time.monotonic()
    found = pretrain(spec, out, options)
    seconds = time.process_time() - started[0], time.monotonic() - started[1]
    losses = found.record["pretraining_loss"]
    print(
        f"    {out.name}: {seconds[0] / 60:.1f} core minutes, {seconds[1] / 60:.1f} minutes; loss "
        f"{losses['train']['value']:.4f} on training, {losses['held_out']['value']:.4f} on held-out images "
        f"(predicting means: {found.record.get('loss_of_predicting_the_mean', float('nan')):.4f}); "
        f"notes: {found.record['notes']}; last line {read_metrics(out / 'metrics.jsonl')[-1]['step']}",
        flush=True,
    )
    return load_encoder(out)


def untrained(encoder: PretrainedEncoder, folder: Path, recipe: str, seed: int) -> PretrainedEncoder:
    """The same network with the random weights it started from."""
    record = json.loads((folder / f"{Path(recipe).stem}-{seed}" / "model" / "encoder.json").read_text())
    objective = build_objective(
        build(ObjectiveSpec, record["objective"]),
        encoder.size,
        mean=record["mean"],
        std=record["std"],
        seed=seed,
    )
    return PretrainedEncoder(objective, encoder.size).eval().requires_grad_(False)


def difference(first: list[float], second: list[float]) -> tuple[float, float, float]:
    """Mean paired difference and its 95 % Student interval, in points."""
    gaps = 100 * (np.array(first) - np.array(second))
    half = (
        student.ppf(0.975, len(gaps) - 1) * gaps.std(ddof=1) / np.sqrt(len(gaps)) if len(gaps) > 1 else np.nan
    )
    return float(gaps.mean()), float(gaps.mean() - half), float(gaps.mean() + half)


def say(what: str, found: list[float], other: list[float], target: str) -> None:
    mean, low, high = difference(found, other)
    print(
        f"| {what} | {100 * np.mean(found):.1f} | {100 * np.mean(other):.1f} | {mean:+.1f} [{low:+.1f}, {high:+.1f}] "
        f"| {target} |",
        flush=True,
    )


def simclr(folder: Path, seeds: int) -> None:
    """A 1,000-label ridge probe on 5,000 test images: pretrained, untrained, raw pixels."""
    recipe = "simclr_cifar10_resnet8.toml"
    train, train_labels = labelled("cifar10", "train", image="img", label="label")
    test, test_labels = labelled("cifar10", "test", image="img", label="label")
    rows = {"pretrained": [], "untrained": [], "pixels": []}
    for seed in range(seeds):
        encoder = pretrained(recipe, "cifar10", folder, seed)
        start = untrained(encoder, folder, recipe, seed)
        some = torch.from_numpy(
            derive_generator(seed, "probe labels").choice(len(train), 1000, replace=False)
        )
        maps = {
            "pretrained": lambda pixels, encoder=encoder: encode_in_batches(encoder, pixels),
            "untrained": lambda pixels, encoder=start: encode_in_batches(encoder, pixels),
            "pixels": lambda pixels: pixels.flatten(1).float() / 255.0,
        }
        for name, features in maps.items():
            probe = RidgeProbeClassifier().fit(features(train[some]).numpy(), train_labels[some].numpy())
            rows[name].append(probe.score(features(test).numpy(), test_labels.numpy()))
        print(
            f"    seed {seed}: " + ", ".join(f"{name} {100 * found[-1]:.1f}" for name, found in rows.items()),
            flush=True,
        )
    say(
        "SimCLR, CIFAR-10 probe, against the untrained network",
        rows["pretrained"],
        rows["untrained"],
        ">= 12",
    )
    say("SimCLR, CIFAR-10 probe, against raw pixels", rows["pretrained"], rows["pixels"], ">= 12")


@dataclass(frozen=True)
class FineTuned:
    """What is fine-tuned: a recipe's encoders on ``n_labels`` of a target's training labels, by ``plan``."""

    recipe: str
    data: str
    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    n_labels: int
    plan: FineTuningPlan

    def accuracies(self, encoders: Sequence[PretrainedEncoder], seed: int) -> list[float]:
        """The test accuracy from each encoder's weights, on the same labels in the same order."""
        rows = derive_generator(seed, "labels").choice(len(self.train[0]), self.n_labels, replace=False)
        images, labels = (part[torch.from_numpy(rows)] for part in self.train)
        networks = [
            fine_tune(copy.deepcopy(one.objective), images, labels, plan=self.plan, seed=seed)
            for one in encoders
        ]
        return [accuracy(network, *self.test) for network in networks]


def _kept(path: Path, what: FineTuned, encoders: Sequence[PretrainedEncoder], seed: int) -> list[float]:
    """The accuracies, read where an earlier call left them, so that a stopped validation goes on."""
    if not path.exists():
        path.write_text(json.dumps(what.accuracies(encoders, seed)))
    return json.loads(path.read_text())


def against_scratch(what: FineTuned, words: str, *, folder: Path, seeds: int) -> None:
    """Each encoder against its own untrained weights, five fine-tuning seeds each."""
    with_it, without = [], []
    for seed in range(seeds):
        encoder = pretrained(what.recipe, what.data, folder, seed)
        pair = (encoder, untrained(encoder, folder, what.recipe, seed))
        found = []
        for run in range(FINE_TUNING_SEEDS):
            found.append(
                _kept(folder / f"{Path(what.recipe).stem}-{seed}.{run}.json", what, pair, 100 * seed + run)
            )
            both = " against ".join(f"{100 * one:.1f}" for one in found[-1])
            print(f"    {what.recipe} {seed}.{run}: {both}", flush=True)
        with_it.append(float(np.mean(found, axis=0)[0]))
        without.append(float(np.mean(found, axis=0)[1]))
    say(words, with_it, without, "> 0")


def mae_usps(folder: Path, seeds: int) -> None:
    """MNIST digits without labels, then 200 labels of USPS digits."""
    parts = [labelled("usps", split, image="image", label="label", size=28) for split in ("train", "test")]
    what = FineTuned("mae_mnist_small.toml", "mnist", *parts, n_labels=200, plan=USPS)
    against_scratch(what, "MAE on MNIST, fine-tuned on 200 USPS labels", folder=folder, seeds=seeds)


def mae_cifar10(folder: Path, seeds: int) -> None:
    """CIFAR-10 images without labels, then 1,000 of their labels."""
    parts = [labelled("cifar10", split, image="img", label="label") for split in ("train", "test")]
    what = FineTuned("mae_cifar10_two_cores.toml", "cifar10", *parts, n_labels=1000, plan=CIFAR)
    against_scratch(what, "MAE on CIFAR-10, fine-tuned on 1,000 labels", folder=folder, seeds=seeds)


PARTS = {"simclr": simclr, "mae_usps": mae_usps, "mae_cifar10": mae_cifar10}


def environment() -> str:
    """What a table was made with."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    ).stdout
    return (f"commit {commit.strip() or 'unknown'}, {time.strftime('%Y-%m-%d')}, torch {torch.__version__}, "
            f"{torch.get_num_threads()} threads, {platform.machine()}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=None)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    print(environment(), flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or Path(scratch)
        print(
            "| what | with (%) | without (%) | difference, points | asked |\n|---|---|---|---|---|",
            flush=True,
        )
        for name in given.parts or PARTS:
            PARTS[name](folder, given.seeds)


if __name__ == "__main__":
    main()
