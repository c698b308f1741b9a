"""Adaptation on real networks: scales before fine-tuning, plans across domains, forecasts against what was reached.

python benchmarks/validate_adaptation.py [scales] [pacs] [forecasts] [--folder DIR] [--share 0/1] [--seeds 10]

Data and checkpoints in CARRYOVER_DATA or in `shared` beside the repository.  Cells that --folder holds are not computed
again; several processes with --share 0/2 and 1/2 share them out, and a last call prints the tables.
"""

import argparse
import platform
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from adaptation_cells import (
    CHECKPOINTS,
    all_images,
    examples_at,
    network_maker,
    words,
)
from adaptation_forecasts import forecasts
from cells import Cells
from real_input import CIFAR_MEAN, CIFAR_STD, data_root
from torch import Tensor

from carryover._core.seeding import derive_generator
from carryover.adaptation.config import read_adaptation
from carryover.adaptation.network import AdaptedNetwork
from carryover.adaptation.outcome import Split, run_plan
from carryover.adaptation.phases import Budget
from carryover.adaptation.plans import PLANS, Phase, Plan
from carryover.adaptation.run import adapt
from carryover.models.initial_scales import InitialScales, cancelled_scales, scale_weights

ROOT = Path(__file__).resolve().parents[1]
SCALES, LABELS = (1.0, 0.25, 0.125), (10, 50, 200)


def scales(cells: Cells, seeds: int) -> None:
    """Lippl and Lindsey's table on ResNet-20: all pretrained weights multiplied before fine-tuning on two classes."""
    root = data_root()
    make, preprocessing = network_maker(root, "resnet20", n_outputs=2)
    train, train_labels = all_images(root / "data/cifar100", split="train", label="fine_label")
    test, test_labels = all_images(root / "data/cifar100", split="test", label="fine_label")

    def compute(key: str) -> dict[str, Any]:
        seed, n = (int(one) for one in key.split("-")[1:])
        generator = derive_generator(seed, "pair")
        pair = generator.choice(100, 2, replace=False)
        chosen = np.concatenate(
            [generator.choice(np.flatnonzero(train_labels == one), n // 2, replace=False) for one in pair]
        )
        judged = np.flatnonzero(np.isin(test_labels, pair))
        split = Split(
            examples_at(train, train_labels, chosen, preprocessing),
            examples_at(test, test_labels, judged, preprocessing),
        )
        found: dict[str, Any] = {"pair": pair.tolist()}
        for mode in ("train", "frozen"):
            plan = Plan("fine_tuning", (Phase("fine-tune", batch_norm=mode),))
            for scale in SCALES:
                if mode == "frozen" and (n != 10 or seed > 3):
                    continue
                outcome = run_plan(
                    make,
                    plan,
                    split,
                    budget=Budget(steps=200, batch_size=16, seed=seed),
                    scales=InitialScales(all_weights=scale),
                )  # fmt: skip
                found[f"{mode} {scale:g}"] = [outcome.measures["accuracy"].value]
        return found

    keys = [f"scales-{seed}-{n}" for seed in range(seeds) for n in LABELS]
    found = cells.run(keys, compute)
    print("\n| batch norm | labels | " + " | ".join(f"x{scale:g}" for scale in SCALES), end="")
    print(" | " + " | ".join(f"x{scale:g} less x1" for scale in SCALES[1:]) + " |")
    print("|" + "---|" * (1 + 2 * len(SCALES)))
    for mode in ("train", "frozen"):
        for n in LABELS:
            rows = [one for key, one in found.items() if key.endswith(f"-{n}") and f"{mode} 1" in one]
            if rows:
                print(_scales_row(rows, mode, n))
    images = examples_at(train, train_labels, np.arange(64), preprocessing).images
    for mode in ("train", "frozen"):
        counts = [len(_cancelled(make(), images, mode, scale)) for scale in SCALES]
        print(
            f"\nscale cancelled by a normalisation, batch norm {mode}: {counts} of 19 convolutions at {SCALES}"
        )


def _scales_row(rows: list[dict[str, Any]], mode: str, n: int) -> str:
    columns = {scale: [row.get(f"{mode} {scale:g}", (None,))[0] for row in rows] for scale in SCALES}
    known = {scale: values for scale, values in columns.items() if None not in values}
    means = [f"{100 * np.mean(known[scale]):.1f}" if scale in known else "-" for scale in SCALES]
    gaps = [
        words([a - b for a, b in zip(known[scale], known[1.0], strict=True)]) if scale in known else "-"
        for scale in SCALES[1:]
    ]
    return f"| {mode} | {n} ({len(rows)} pairs) | {' | '.join(means)} | {' | '.join(gaps)} |"


def _cancelled(network: AdaptedNetwork, images: Tensor, mode: str, scale: float) -> list[str]:
    """The layers that a run warns of."""
    network.batch_norm = mode
    changed = scale_weights(network, network.encoder, InitialScales(all_weights=scale))
    return cancelled_scales(network, network.encoder, images, features=network.features, changed=changed)


def pacs(cells: Cells, seeds: int) -> None:
    """Photos to sketches: every plan under one budget, on 200 labelled photos."""
    root = data_root()

    def compute(key: str) -> dict[str, Any]:
        tables = {
            "model": {
                "name": "resnet20",
                "factory": "carryover.models.backbones:cifar_resnet20",
                "weights": str(root / "checkpoints" / CHECKPOINTS["resnet20"]),
                "mean": CIFAR_MEAN,
                "std": CIFAR_STD,
            },
            "target": {"path": str(root / "data/pacs32"), "label": "label", "where": {"domain": "photo"}},
            "out_of_domain": {"path": str(root / "data/pacs32"), "label": "label", "where": {"domain": "sketch"}},
            "plan": "all",
            "seed": int(key.split("-")[1]),
            "regime": {"plans": "none"},
        }  # fmt: skip
        tables["target"] |= {"n_labels": 200, "test_fraction": 0.4}
        tables["train"] = {"steps": 200, "flip": 0.5, "least_area": 0.6}
        with tempfile.TemporaryDirectory() as folder:
            record = adapt(read_adaptation(tables), Path(folder) / "run").record
        found: dict[str, Any] = {"winner": record["winner"]}
        for row in record["plans"]:
            forecast = row["forecast"]["accuracy"]["value"]
            found[row["plan"]] = [
                row["test_accuracy"]["value"],
                row["out_of_domain_accuracy"]["value"],
                forecast,
            ]
        return found

    found = cells.run([f"pacs-{seed}" for seed in range(seeds)], compute)
    print(
        f"\n| plan, {len(found)} seeds | photos | sketches | photos less probe | sketches less probe | forecast |"
    )
    print("|---|---|---|---|---|---|")
    for plan in PLANS:
        rows = [one for one in found.values() if plan in one]
        both = [[row[plan][k] for row in rows] for k in (0, 1)]
        gaps = [words([row[plan][k] - row["linear_probe"][k] for row in rows]) for k in (0, 1)]
        given = [row[plan][2] for row in rows if row[plan][2] is not None]
        forecast = f"{100 * np.mean(given):.1f} ({len(given)} of {len(rows)})" if given else "abstained"
        print(f"| {plan} | {words(both[0])} | {words(both[1])} | {gaps[0]} | {gaps[1]} | {forecast} |")
    print(f"\nwinners on validation: {[one['winner'] for one in found.values()]}")


PARTS = {"scales": scales, "pacs": pacs, "forecasts": forecasts}


def environment() -> str:
    """The commit and the machine, for the table."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return f"commit {commit.stdout.strip()}, torch {torch.__version__}, Python {platform.python_version()}"


def main() -> None:
    """Run the named parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="by default all")
    parser.add_argument("--folder", type=Path, default=Path("adaptation-validation"))
    parser.add_argument("--share", default="0/1")
    parser.add_argument("--seeds", type=int, default=10)
    given = parser.parse_args()
    torch.set_num_threads(1)
    share, shares = (int(one) for one in given.share.split("/"))
    print(environment(), flush=True)
    for part in given.parts or PARTS:
        print(f"\n### {part}", flush=True)
        PARTS[part](Cells(given.folder, share, shares), given.seeds)


if __name__ == "__main__":
    main()
