"""A family of pretraining runs on CIFAR-10 (objectives x steps x regularisers), each kept in a folder of its own.

    python benchmarks/bounds_family.py --folder DIR [--share 0 --shares 2]

The runs behind the ablation of the transfer bound's terms (validate_bounds.py).  A run that is there is not repeated.
"""

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch

from carryover._core.strict import build
from carryover.pretraining.run import PretrainOptions, pretrain
from carryover.pretraining.specs import PretrainSpec

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("CARRYOVER_DATA") or ROOT.parent / "shared") / "data"
OBJECTIVES: Mapping[str, Mapping[str, Any]] = {
    "mae": {"patch_size": 4, "width": 64, "depth": 3, "heads": 2, "decoder_width": 48, "decoder_depth": 1,
            "decoder_heads": 2},
    "denoising": {"width": 64},
    "context_encoder": {"width": 64},
    "simclr": {"width": 64},
    "spectral": {"width": 64},
}  # fmt: skip
STEPS = (25, 35, 50, 70, 100, 140, 200, 280, 400, 560)
REGULARIZED_STEPS = 140
STRENGTHS = {
    "l2": (1e-4, 1e-3),
    "radreg": (0.1, 1.0),
    "frobenius": (0.1, 1.0),
    "uniformity": (0.1, 1.0),
}
LABELLED_ROWS = 10_000
"""The first rows of CIFAR-100 may be labelled; the regularisers' unlabelled pool is the rest."""


@dataclass(frozen=True)
class Member:
    """One run: seeds differ, so that runs are independent of one another."""

    objective: str
    steps: int
    regularizer: str
    strength: float
    seed: int

    @property
    def name(self) -> str:
        return f"{self.objective}-{self.steps}-{self.regularizer}-{self.strength:g}"


def members() -> list[Member]:
    """All runs, short ones first."""
    plain = [
        Member(kind, steps, "none", 0.0, seed) for kind in OBJECTIVES for seed, steps in enumerate(STEPS)
    ]
    regularized = [
        Member(kind, REGULARIZED_STEPS, name, strength, 100 + 10 * at + place)
        for kind in OBJECTIVES
        for at, (name, strengths) in enumerate(STRENGTHS.items())
        for place, strength in enumerate(strengths)
    ]
    return sorted(plain + regularized, key=lambda one: one.steps)


def unlabelled_pool(folder: Path) -> Path:
    """The rows of CIFAR-100's training split that are never labelled, as a data set of its own."""
    target = folder / "cifar100_pool" / "train.parquet"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        source = next((DATA / "cifar100").glob("train*.parquet"))
        pq.write_table(pq.read_table(source).slice(LABELLED_ROWS), target)
    return target


def train(member: Member, folder: Path) -> None:
    """The run of one member, in ``folder`` / its name."""
    tables: dict[str, Any] = {
        "data": {"path": str(DATA / "cifar10"), "split": "train", "max_examples": 10_000},
        "objective": {"kind": member.objective, **OBJECTIVES[member.objective]},
        "train": {"steps": member.steps, "batch_size": 128, "learning_rate": 2e-3, "warmup_steps": 10},
        "mean": (0.4914, 0.4822, 0.4465),
        "std": (0.2470, 0.2435, 0.2616),
        "held_out": 0.1,
        "seed": member.seed,
    }
    if member.regularizer != "none":
        tables["regularizer"] = {"kind": member.regularizer, "strength": member.strength}
        if member.regularizer != "l2":
            tables["downstream"] = {"path": str(unlabelled_pool(folder)), "image": "img"}
    found = pretrain(build(PretrainSpec, tables), folder / member.name, PretrainOptions(checkpoint_every=400))
    print(
        f"{member.name}: held-out loss {found.record['pretraining_loss']['held_out']['value']:.4f}",
        flush=True,
    )


def make_family(folder: Path, *, share: int = 0, shares: int = 1) -> None:
    """Every run that is not there yet; of every ``shares`` runs this process makes the one numbered ``share``."""
    for number, member in enumerate(members()):
        if number % shares == share and not (folder / member.name / "result.json").exists():
            train(member, folder)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--share", type=int, default=0)
    parser.add_argument("--shares", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(1)
    make_family(given.folder, share=given.share, shares=given.shares)


if __name__ == "__main__":
    main()
